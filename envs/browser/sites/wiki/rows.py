"""The facts of the Veyle Archipelago, one row a thing. Articles, tasks and their answers all come from here."""

from __future__ import annotations

from typing import NamedTuple


class Island(NamedTuple):
    """An island. Area in km², height in m."""

    name: str
    area: int
    population: int
    peak: str
    height: int
    settled: int
    capital: str
    note: str


class Town(NamedTuple):
    """A town or village. Depth of its harbour in m."""

    name: str
    island: str
    population: int
    founded: int
    depth: int
    mayor: str
    note: str


class Person(NamedTuple):
    """Somebody. ``died`` is 0 for the living."""

    name: str
    born: int
    died: int
    home: str
    trade: str
    note: str


class Festival(NamedTuple):
    """A yearly festival. Its length in days."""

    name: str
    town: str
    month: str
    since: int
    days: int
    note: str


class Ship(NamedTuple):
    """A ship. Length in m."""

    name: str
    kind: str
    built: int
    length: int
    port: str
    owner: str
    note: str


class Lighthouse(NamedTuple):
    """A lighthouse. Height of the tower in m, range of the light in nautical miles."""

    name: str
    island: str
    built: int
    height: int
    range: int
    keeper: str
    note: str


ISLANDS = (
    Island(
        "Harrow",
        182,
        14200,
        "Mount Ansel",
        742,
        1412,
        "Port Ansel",
        "Two thirds of it are moorland, on which the long-haired Harrow sheep are kept.",
    ),
    Island(
        "Brannock",
        133,
        8750,
        "Mount Corrie",
        611,
        1441,
        "Corriemouth",
        "Its slate roofs half the archipelago, and the quarries can be seen from the sea.",
    ),
    Island(
        "Selkie",
        97,
        6100,
        "Grey Tor",
        318,
        1498,
        "Merrow",
        "Seals haul out on the sandbanks of its southern shore all year round.",
    ),
    Island(
        "Tarn",
        64,
        2950,
        "The Stair",
        455,
        1533,
        "Stairfoot",
        "Eleven small lakes lie one above the other along its only river.",
    ),
    Island(
        "Ember",
        52,
        1310,
        "Cinder Peak",
        867,
        1687,
        "Ashby Landing",
        "The volcano last stirred in 1904, and the springs below it are warm in winter.",
    ),
    Island(
        "Quill",
        41,
        1820,
        "Inkwell Hill",
        129,
        1570,
        "Quillhaven",
        "Paper has been made here from reeds since the first mill opened.",
    ),
    Island(
        "Lowen",
        29,
        940,
        "Beacon Down",
        88,
        1622,
        "Lowen Quay",
        "There are no trees on it, and every lane is lined with dry stone walls.",
    ),
    Island(
        "Sable",
        18,
        265,
        "Crow Head",
        57,
        1719,
        "Sable Bight",
        "Its dunes move a few metres a year and have buried the old chapel twice.",
    ),
)

TOWNS = (
    Town(
        "Port Ansel",
        "Harrow",
        7300,
        1412,
        14,
        "Ilse Varden",
        "The ferries to all other islands leave from its long stone pier.",
    ),
    Town(
        "Wetherby Cross",
        "Harrow",
        2150,
        1467,
        4,
        "Piet Lowry",
        "The wool exchange meets here on the first Tuesday of each month.",
    ),
    Town("Fallow Bay", "Harrow", 1240, 1529, 6, "Dora Quist", "Oysters are grown on racks in the shallow bay."),
    Town(
        "Anselgate",
        "Harrow",
        860,
        1608,
        3,
        "Hugh Marrin",
        "It began as an inn at the gate of the pass across the moor.",
    ),
    Town(
        "Corriemouth",
        "Brannock",
        4100,
        1441,
        11,
        "Greta Solheim",
        "Slate is loaded here on flat boats that hardly rise above the water.",
    ),
    Town(
        "Slatewick",
        "Brannock",
        1750,
        1583,
        5,
        "Owen Tarrant",
        "Every house in its high street has a different pattern of slates.",
    ),
    Town(
        "Gannet Hythe",
        "Brannock",
        990,
        1640,
        8,
        "Lena Brisk",
        "Thirty thousand gannets nest on the cliff behind the harbour.",
    ),
    Town("Merrow", "Selkie", 3400, 1498, 9, "Anton Reeve", "Its market hall stands on oak piles over the water."),
    Town("Southsand", "Selkie", 1120, 1711, 2, "Maud Ellery", "Bathing huts in six colours line the beach."),
    Town(
        "Stairfoot",
        "Tarn",
        1480,
        1533,
        7,
        "Casper Noll",
        "A path of 999 steps climbs from the harbour to the first lake.",
    ),
    Town(
        "Ninth Water", "Tarn", 420, 1655, 1, "Edda Thorne", "It is named after the ninth lake, on whose shore it lies."
    ),
    Town(
        "Ashby Landing", "Ember", 870, 1687, 10, "Rufus Calder", "The public baths are fed by a spring of 41 degrees."
    ),
    Town(
        "Quillhaven",
        "Quill",
        1290,
        1570,
        6,
        "Sister Agnes Wray",
        "Three of the old paper mills are still turned by the tide.",
    ),
    Town(
        "Lowen Quay", "Lowen", 610, 1622, 5, "Bram Teasel", "Crab pots are stacked on the quay as high as the houses."
    ),
    Town(
        "Sable Bight",
        "Sable",
        190,
        1719,
        3,
        "Nora Finn",
        "The only shop is also the post office and the school library.",
    ),
    Town("Hollin Reach", "Selkie", 730, 1746, 4, "Walter Pym", "Boats are built here without a plan, from memory."),
)

PEOPLE = (
    Person(
        "Ilse Varden", 1961, 0, "Port Ansel", "harbour pilot", "She brought 2,300 ships in before she stood for mayor."
    ),
    Person("Greta Solheim", 1972, 0, "Corriemouth", "geologist", "Her map of the slate beds hangs in the town hall."),
    Person(
        "Casper Noll", 1958, 0, "Stairfoot", "bell founder", "The bell of Stairfoot, cast by him, weighs 812 kilograms."
    ),
    Person("Josef Amblin", 1803, 1871, "Merrow", "cartographer", "His chart of the sound was in use for ninety years."),
    Person(
        "Henrike Ossel", 1844, 1919, "Quillhaven", "paper maker", "She found out how to bleach reed paper in sunlight."
    ),
    Person("Tamsin Drew", 1899, 1977, "Fallow Bay", "oyster farmer", "She wrote the only cookbook of the archipelago."),
    Person("Edmund Carrow", 1766, 1832, "Wetherby Cross", "shipwright", "Nine of his schooners crossed the ocean."),
    Person(
        "Oda Lindqvist",
        1921,
        2004,
        "Ashby Landing",
        "volcanologist",
        "She lived on the rim of the crater for eleven summers.",
    ),
    Person("Silas Penhale", 1830, 1902, "Lowen Quay", "lighthouse builder", "Three towers of the archipelago are his."),
    Person("Marta Keane", 1888, 1956, "Gannet Hythe", "ornithologist", "She ringed more than fifty thousand gannets."),
    Person("Aldous Wick", 1912, 1990, "Slatewick", "poet", "His poems were first printed on the backs of slate bills."),
    Person("Petra Lomax", 1979, 0, "Southsand", "swimmer", "She swam from Selkie to Harrow in 6 hours and 12 minutes."),
    Person("Gideon Farr", 1735, 1799, "Anselgate", "innkeeper", "He let travellers pay for a bed with a song."),
    Person("Ruth Tolliver", 1948, 2019, "Ninth Water", "weaver", "Her largest tapestry shows all eleven lakes."),
)

FESTIVALS = (
    Festival(
        "Lantern Tide",
        "Port Ansel",
        "November",
        1683,
        3,
        "Every boat in the harbour carries a paper lantern from Quill.",
    ),
    Festival("Fleece Fair", "Wetherby Cross", "June", 1540, 5, "The heaviest fleece wins its owner a silver comb."),
    Festival("Slate Skimming", "Slatewick", "August", 1921, 1, "The record stands at forty-four bounces."),
    Festival("Gannet Week", "Gannet Hythe", "May", 1934, 7, "Visitors are rowed below the cliff at dawn."),
    Festival("Stair Race", "Stairfoot", "September", 1888, 1, "Runners climb all 999 steps with a bucket of water."),
    Festival(
        "Ember Night", "Ashby Landing", "December", 1905, 2, "It remembers the night on which the volcano fell silent."
    ),
    Festival("Ink Days", "Quillhaven", "March", 1712, 4, "Letters are written by hand and delivered by rowing boat."),
    Festival("Crab Sunday", "Lowen Quay", "July", 1866, 1, "The quay becomes one long table."),
)

SHIPS = (
    Ship(
        "MV Cormorant",
        "ferry",
        1998,
        71,
        "Port Ansel",
        "Veyle Ferries",
        "She makes the crossing to Corriemouth twice a day.",
    ),
    Ship(
        "MV Shearwater",
        "ferry",
        2011,
        84,
        "Port Ansel",
        "Veyle Ferries",
        "She can carry sixty cars and is the largest of the fleet.",
    ),
    Ship(
        "MV Dunlin",
        "ferry",
        1986,
        38,
        "Merrow",
        "Veyle Ferries",
        "The oldest ferry still in service, she sails to Tarn.",
    ),
    Ship(
        "Amblin's Hope",
        "survey ship",
        1974,
        46,
        "Merrow",
        "Hydrographic Office",
        "She is named after the cartographer Josef Amblin.",
    ),
    Ship(
        "Grey Maiden",
        "schooner",
        1811,
        33,
        "Wetherby Cross",
        "Harrow Maritime Museum",
        "Built by Edmund Carrow, she is the only one of his ships afloat.",
    ),
    Ship(
        "Slate Queen",
        "barge",
        1932,
        27,
        "Corriemouth",
        "Corrie Quarries",
        "She carried the slates of the cathedral roof.",
    ),
    Ship("Tidewife", "lifeboat", 2016, 17, "Gannet Hythe", "Lifeboat Society", "Her crew of seven are all volunteers."),
    Ship("Ember Rose", "trawler", 1969, 24, "Ashby Landing", "Calder Brothers", "She is painted red each spring."),
    Ship(
        "Paper Moon", "yacht", 1954, 15, "Quillhaven", "Ossel family", "Her sails were once made of waxed reed paper."
    ),
    Ship(
        "Lowen Lass",
        "crabber",
        1991,
        12,
        "Lowen Quay",
        "Bram Teasel",
        "She has landed more crabs than any boat of her size.",
    ),
)

LIGHTHOUSES = (
    Lighthouse("Ansel Light", "Harrow", 1789, 41, 24, "Port Authority", "It is the tallest tower of the archipelago."),
    Lighthouse("Corrie Point Light", "Brannock", 1858, 33, 21, "Port Authority", "It is striped in black and white."),
    Lighthouse("Seal Bank Light", "Selkie", 1866, 27, 18, "Marine Trust", "It stands on iron legs in the sea."),
    Lighthouse("Beacon Down Light", "Lowen", 1871, 19, 16, "Marine Trust", "Sheep shelter in its lower room."),
    Lighthouse("Cinder Head Light", "Ember", 1913, 22, 17, "Port Authority", "Its lamp burned oil until 1981."),
    Lighthouse(
        "Crow Head Light", "Sable", 1902, 16, 13, "Marine Trust", "It has been moved inland twice, stone by stone."
    ),
)
