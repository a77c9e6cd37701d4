<?php
// Write users and revisions, each at its own moment of the wiki's clock, from a JSON file that content.py describes.
require_once '/usr/share/mediawiki/maintenance/Maintenance.php';

use MediaWiki\MediaWikiServices;
use MediaWiki\Revision\SlotRecord;
use Wikimedia\Timestamp\ConvertibleTimestamp;

class TurnGymSeed extends Maintenance {
	public function __construct() {
		parent::__construct();
		$this->addArg( 'file', 'JSON' );
	}

	public function execute() {
		$seed = json_decode( file_get_contents( $this->getArg( 0 ) ), true, 32, JSON_THROW_ON_ERROR );
		ConvertibleTimestamp::setFakeTime( $seed['began'] );
		foreach ( $seed['users'] as $name => $password ) {
			$this->addUser( $name, $password, in_array( $name, $seed['admins'], true ) );
		}
		foreach ( $seed['revisions'] as $it ) {
			ConvertibleTimestamp::setFakeTime( $it['time'] );
			$this->save( $it );
		}
		$this->runJobs();
		ConvertibleTimestamp::setFakeTime( FROZEN );
		$dbw = $this->getDB( DB_PRIMARY );
		$dbw->delete( 'objectcache', '*', __METHOD__ );
		$this->predate( $dbw, $seed['began'] );
		SiteStatsInit::doAllAndCommit( $dbw );
		$dbw->query( 'VACUUM', __METHOD__ );
	}

	private function addUser( $name, $password, $admin ) {
		$user = User::newFromName( $name );
		if ( !$user->isRegistered() ) {
			$user->addToDatabase();
			SiteStatsUpdate::factory( [ 'users' => 1 ] )->doUpdate();
		}
		if ( $password !== null ) {
			$change = [ 'username' => $name, 'password' => $password, 'retype' => $password ];
			$status = $user->changeAuthenticationData( $change );
			if ( !$status->isGood() ) {
				$this->fatalError( "$name: " . $status->getMessage()->text() );
			}
		}
		if ( $admin ) {
			MediaWikiServices::getInstance()->getUserGroupManager()->addUserToGroup( $user, 'sysop' );
		}
	}

	private function save( array $it ) {
		$title = Title::newFromText( $it['title'] );
		$page = MediaWikiServices::getInstance()->getWikiPageFactory()->newFromTitle( $title );
		$updater = $page->newPageUpdater( User::newFromName( $it['user'] ) );
		$updater->setContent( SlotRecord::MAIN, ContentHandler::makeContent( $it['text'], $title ) );
		$updater->saveRevision( CommentStoreComment::newUnsavedComment( $it['comment'] ) );
		if ( !$updater->wasSuccessful() ) {
			$this->fatalError( "{$it['title']}: " . $updater->getStatus()->getMessage()->text() );
		}
		DeferredUpdates::doUpdates();
	}

	/** What the installer did, it did by the machine's clock. */
	private function predate( $dbw, $began ) {
		$columns = [
			'revision' => 'rev_timestamp', 'recentchanges' => 'rc_timestamp', 'logging' => 'log_timestamp',
			'user' => 'user_registration', 'page' => 'page_touched',
		];
		foreach ( $columns as $table => $column ) {
			$late = "$column > " . $dbw->addQuotes( $dbw->timestamp( FROZEN ) );
			$dbw->update( $table, [ $column => $dbw->timestamp( $began ) ], [ $late ], __METHOD__ );
		}
		$dbw->update( 'user', [ 'user_touched' => $dbw->timestamp( $began ) ], '*', __METHOD__ );
	}

	private function runJobs() {
		$runner = MediaWikiServices::getInstance()->getJobRunner();
		do {
			$done = $runner->run( [ 'type' => false, 'maxJobs' => 500, 'maxTime' => 600, 'throttle' => false ] );
		} while ( $done['reached'] !== 'none-ready' );
	}
}

$maintClass = TurnGymSeed::class;
require_once RUN_MAINTENANCE_IF_MAIN;
