"""The themes of the embedded family: five to train on, three to test on. They share no word that a rule is about."""

from lse_gym.envs.qa.procedural.theme import Attribute, Theme, Unit

BREWING = Theme(
    name="brewing",
    thing="cask",
    place="cellar",
    kinds=("oak", "ash", "elm"),
    names=("Alder", "Bramble", "Clover", "Dunnock", "Elder", "Foxglove", "Gorse", "Heather"),
    attributes=(
        Attribute("weight", "heavy"),
        Attribute("age", "old"),
        Attribute("sweetness", "sweet"),
        Attribute("price", "costly"),
    ),
    terms=("wort", "skell"),
    units=(Unit("gallon", "pint", 8), Unit("week", "day", 7)),
    occasion="harvest",
    documents=("ledger", "label"),
    states=("cracked", "borrowed", "chalked"),
    sources=("steward", "tally", "gauge"),
    ranks=("brewer", "cooper", "porter", "drayman", "potboy"),
)

MASONRY = Theme(
    name="masonry",
    thing="block",
    place="yard",
    kinds=("granite", "marble", "slate"),
    names=("Ironside", "Juniper", "Kestrel", "Lantern", "Mallow", "Nettle", "Otter", "Pebble"),
    attributes=(
        Attribute("height", "tall"),
        Attribute("width", "wide"),
        Attribute("hardness", "hard"),
        Attribute("roughness", "rough"),
    ),
    terms=("batter", "quoin"),
    units=(Unit("furlong", "chain", 10), Unit("stone", "pound", 14)),
    occasion="guild",
    documents=("plan", "invoice"),
    states=("chipped", "reserved", "veined"),
    sources=("mason", "plumb", "draughtsman"),
    ranks=("architect", "foreman", "carver", "hewer", "mixer"),
)

WEAVING = Theme(
    name="weaving",
    thing="carpet",
    place="loft",
    kinds=("woollen", "silken", "linen"),
    names=("Quince", "Rowan", "Saffron", "Thistle", "Umber", "Violet", "Willow", "Yarrow"),
    attributes=(
        Attribute("length", "long"),
        Attribute("density", "dense"),
        Attribute("softness", "soft"),
        Attribute("strength", "strong"),
    ),
    terms=("pick", "heddle"),
    units=(Unit("hour", "minute", 60), Unit("metre", "centimetre", 100)),
    occasion="festival",
    documents=("docket", "catalogue"),
    states=("frayed", "dyed", "pledged"),
    sources=("weaver", "pattern", "merchant"),
    ranks=("designer", "spinner", "carder", "fuller", "sweeper"),
)

ORCHARD = Theme(
    name="orchard",
    thing="tree",
    place="plot",
    kinds=("apple", "pear", "plum"),
    names=("Amity", "Bellamy", "Cordial", "Dapple", "Evergood", "Fairweather", "Goldrush", "Hopeful"),
    attributes=(
        Attribute("girth", "thick"),
        Attribute("spread", "broad"),
        Attribute("bloom", "flowery"),
        Attribute("thirst", "thirsty"),
    ),
    terms=("scion", "spurrage"),
    units=(Unit("bushel", "peck", 4), Unit("year", "month", 12)),
    occasion="drought",
    documents=("almanac", "receipt"),
    states=("grafted", "fenced", "leaning"),
    sources=("grower", "surveyor", "picker"),
    ranks=("owner", "pruner", "grafter", "sprayer", "gleaner"),
)

HARBOUR = Theme(
    name="harbour",
    thing="boat",
    place="basin",
    kinds=("steam", "sail", "motor"),
    names=("Albatross", "Barnacle", "Cormorant", "Dolphin", "Endeavour", "Frigate", "Gannet", "Halcyon"),
    attributes=(
        Attribute("draught", "deep"),
        Attribute("speed", "fast"),
        Attribute("crew", "crowded"),
        Attribute("rust", "rusty"),
    ),
    terms=("burden", "lading"),
    units=(Unit("league", "mile", 3), Unit("knot", "reef", 5)),
    occasion="pilot",
    documents=("manifest", "logbook"),
    states=("moored", "leaking", "chartered"),
    sources=("captain", "lighthouse", "broker"),
    ranks=("admiral", "bosun", "purser", "stoker", "deckhand"),
)

GLASSWORK = Theme(
    name="glasswork",
    thing="vase",
    place="kiln",
    kinds=("cobalt", "amber", "opal"),
    names=("Aurora", "Borealis", "Cascade", "Dewdrop", "Ember", "Flicker", "Glimmer", "Halo"),
    attributes=(
        Attribute("clarity", "clear"),
        Attribute("warmth", "warm"),
        Attribute("purity", "pure"),
        Attribute("lustre", "shiny"),
    ),
    terms=("cullet", "annealing"),
    units=(Unit("quire", "sheet", 24), Unit("ounce", "dram", 16)),
    occasion="furnace",
    documents=("certificate", "daybook"),
    states=("bubbled", "signed", "etched"),
    sources=("blower", "pyrometer", "dealer"),
    ranks=("gaffer", "servitor", "engraver", "stirrer", "packer"),
)

APIARY = Theme(
    name="apiary",
    thing="hive",
    place="meadow",
    kinds=("clay", "straw", "cedar"),
    names=("Amberley", "Buzzard", "Candlewick", "Daffodil", "Elderberry", "Fernhill", "Goldenrod", "Honeydew"),
    attributes=(
        Attribute("size", "big"),
        Attribute("noise", "loud"),
        Attribute("stickiness", "sticky"),
        Attribute("temper", "angry"),
    ),
    terms=("propolis", "supering"),
    units=(Unit("season", "moon", 3), Unit("quart", "cup", 4)),
    occasion="swarm",
    documents=("register", "placard"),
    states=("smoked", "requeened", "visiting"),
    sources=("keeper", "scale", "inspector"),
    ranks=("queenmaker", "smoker", "skepper", "strainer", "bottler"),
)

OBSERVATORY = Theme(
    name="observatory",
    thing="star",
    place="chart",
    kinds=("variable", "binary", "solitary"),
    names=("Almach", "Benet", "Capra", "Deneva", "Errai", "Furud", "Gienah", "Hamal"),
    attributes=(
        Attribute("brightness", "bright"),
        Attribute("distance", "distant"),
        Attribute("redness", "red"),
        Attribute("steadiness", "steady"),
    ),
    terms=("albedo", "parallax"),
    units=(Unit("degree", "arcminute", 60), Unit("watch", "bell", 8)),
    occasion="eclipse",
    documents=("atlas", "bulletin"),
    states=("veiled", "doubled", "doubtful"),
    sources=("astronomer", "plate", "almucantar"),
    ranks=("director", "computer", "recorder", "polisher", "doorkeeper"),
)

TRAIN_THEMES = (BREWING, MASONRY, WEAVING, ORCHARD, HARBOUR)
TEST_THEMES = (GLASSWORK, APIARY, OBSERVATORY)
