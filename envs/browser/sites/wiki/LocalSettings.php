<?php
// The wiki's settings. Everything that changes lives in ONE SQLite file, so that putting that file back restores all:
// pages, search index, recent changes, sessions, parser cache, job queue. What never changes (texts of the interface,
// compiled PHP) lies in a folder that all copies read.
if ( !defined( 'MEDIAWIKI' ) ) {
	exit;
}

use MediaWiki\MediaWikiServices;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/** 2024-01-15 09:00:00 UTC. The front of each copy says what time it is there; while seeding, the seeder does. */
const FROZEN = 1705309200;
ConvertibleTimestamp::setFakeTime( (int)( getenv( 'TURNGYM_WIKI_NOW' ) ?: FROZEN ) );

/** The object cache's clock is the wiki's too: nothing put in at installation ever grows stale. */
class FrozenSqlBagOStuff extends SqlBagOStuff {
	public function getCurrentTime() {
		return (float)ConvertibleTimestamp::time();
	}
}

$wgSitename = 'Veyle Wiki';
$wgMetaNamespace = 'Project';
$wgServer = 'http://' . ( $_SERVER['HTTP_HOST'] ?? '127.0.0.1' );
$wgScriptPath = '';
$wgArticlePath = '/wiki/$1';
$wgUsePathInfo = true;
$wgResourceBasePath = '';
$wgLogos = [ 'svg' => '/islet.svg', '1x' => '/islet.svg', 'icon' => '/islet.svg' ];
$wgFavicon = '/islet.svg';
$wgLanguageCode = 'en';
$wgLocaltimezone = 'UTC';
$wgSecretKey = '5e9c0f6f1b0f4e5f9a35c6d1c1b7a7d2d8a0a1b4c3e2f1a0b9c8d7e6f5a4b3c2';
$wgAuthenticationTokenVersion = '1';

// One database for everything.
$wgDBtype = 'sqlite';
$wgDBserver = '';
$wgDBname = 'wiki';
$wgDBuser = '';
$wgDBpassword = '';
$wgSQLiteDataDir = getenv( 'TURNGYM_WIKI_DATA' );
$wgDBservers = [ [
	'type' => 'sqlite',
	'dbname' => $wgDBname,
	'dbDirectory' => $wgSQLiteDataDir,
	'variables' => [ 'synchronous' => 'OFF', 'temp_store' => 'MEMORY' ],
	'flags' => DBO_DEFAULT,
	'load' => 1,
] ];
$wgObjectCaches[CACHE_DB] = [ 'class' => FrozenSqlBagOStuff::class, 'loggroup' => 'SQLBagOStuff', 'purgePeriod' => 0 ];
$wgMainCacheType = CACHE_NONE;
$wgMessageCacheType = CACHE_DB;
$wgParserCacheType = CACHE_DB;
$wgSessionCacheType = CACHE_DB;
$wgParserCacheExpireTime = $wgObjectCacheSessionExpiry = 5 * 365 * 86400; // from 10 years on MediaWiki reads a date
$wgResourceLoaderUseObjectCacheForDeps = true;
$wgLocalisationCacheConf = [
	'class' => LocalisationCache::class,
	'store' => 'array',
	'storeDirectory' => getenv( 'TURNGYM_WIKI_SHARED' ) . '/l10n',
	'storeClass' => false,
	'storeServer' => [],
	'forceRecache' => false,
	'manualRecache' => !defined( 'MW_ENTRY_POINT' ) || MW_ENTRY_POINT !== 'cli',
];
$wgCacheDirectory = false;
$wgTmpDirectory = getenv( 'TURNGYM_WIKI_DATA' );
$wgInvalidateCacheOnLocalSettingsChange = false;

// What an edit brings about (search index, categories, links) is done before its response leaves.
$wgForceDeferredUpdatesPreSend = true;
$wgRunJobsAsync = false;
$wgJobRunRate = 20;
$wgMiserMode = false;
$wgDisableCounters = true;

// Nothing leaves the machine, and nothing is watched.
$wgEnableEmail = $wgEnableUserEmail = false;
$wgEnableUploads = $wgUseInstantCommons = $wgPingback = false;
$wgDiff3 = false;
$wgShellRestrictionMethod = false;
$wgEnableDnsBlacklist = false;
$wgUseTidy = true;

// The same pixels each time: no suggestions that race with the typing, no caching by age.
$wgEnableOpenSearchSuggest = false;
$wgUseSiteCss = $wgUseSiteJs = $wgAllowUserCss = $wgAllowUserJs = false;
$wgRCMaxAge = 3650 * 86400;
$wgShowIPinHeader = false;
$wgPasswordAttemptThrottle = $wgAccountCreationThrottle = [];
$wgRateLimits = [];
$wgMaxLoginAttempts = 0;

// Cookies end with the browser; the prefix tells them from another site's on the same host.
$wgCookiePrefix = 'veylewiki';
$wgCookieExpiration = $wgExtendedLoginCookieExpiration = 0;
$wgCookieSecure = false;
$wgCookieSameSite = null;

$wgGroupPermissions['*']['edit'] = false;
$wgGroupPermissions['*']['createaccount'] = false;
$wgGroupPermissions['user']['move'] = true;
$wgGroupPermissions['user']['noratelimit'] = true;
$wgPasswordPolicy['policies'] = [ 'default' => [] ];
// Lists of changes as plain HTML: the other form fetches itself after the page has come.
$wgDefaultUserOptions['rcenhancedfilters-disable'] = 1;
$wgDefaultUserOptions['wlenhancedfilters-disable'] = 1;
$wgDefaultUserOptions['rcdays'] = 30;
$wgDefaultUserOptions['watchlistdays'] = 30;
$wgRCLinkDays = [ 1, 7, 30, 90 ];

wfLoadSkin( 'Vector' );
$wgDefaultSkin = 'vector';
$wgFooterIcons = [];
$wgSkipSkins = [ 'fallback', 'apioutput', 'authentication-popup' ];

// MediaWiki counts the days of these lists back from the machine's clock; count from the wiki's.
$wgHooks['ChangesListSpecialPageQuery'][] = static function ( $name, &$tables, &$fields, &$conds, &$options, &$joins, $opts ) {
	foreach ( $conds as $key => $cond ) {
		if ( is_int( $key ) && is_string( $cond ) && str_starts_with( $cond, 'rc_timestamp >= ' ) && !$opts['from'] ) {
			$dbr = MediaWikiServices::getInstance()->getDBLoadBalancer()->getConnection( DB_REPLICA );
			$since = $dbr->timestamp( (int)( ConvertibleTimestamp::time() - $opts['days'] * 86400 ) );
			$conds[$key] = 'rc_timestamp >= ' . $dbr->addQuotes( $since );
		}
	}
};

// Help lies on another server.
$wgHooks['BeforePageDisplay'][] = static function ( $out ) {
	$out->setIndicators( [ 'mw-helplink' => '' ] );
};

// Enter in the search box goes to the page of that name. The script of the suggestions, which are off, does the same.
$wgHooks['SkinAfterBottomScripts'][] = static function ( $skin, &$text ) {
	$text .= '<script>document.getElementById( "mw-searchButton" )?.remove();</script>';
};
