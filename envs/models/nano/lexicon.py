"""The words that training themes are made of; none of them occurs in a theme that ships."""

import re
from collections.abc import Iterator
from functools import cache

import numpy as np

from lse_gym.envs.sql.procedural.theme import Theme
from lse_gym.envs.sql.procedural.themes import TEST_THEMES, TRAIN_THEMES

_ENGLISH = """
abbey acorn acre actor agent album alley anchor angle ankle anthem apple apron arrow atlas attic award badge bagel
baker balcony ballad ballet bamboo banner barrel basin basket battery beach beaker beetle bell bicycle bishop blanket
blossom boat bonnet border bottle boulder bowl bracket branchlet bread breeze brick bridge broker bronco bucket buckle
buffet builder bullet bumper bunker burrow butcher button cabin cabinet cable cactus camel camera canal candle cannon
canoe canvas captain caravan carbon cargo carpet carriage carton cashier cavern cellar cement chain chair chalk chapel
chapter charger cheese cheetah cherry chess chimney cinema circuit circus clerk cliff clock cloud coach coast cobbler
coffee collar column comet convoy copper coral cork corner cotton council courier cradle crane crate cricket cube
curtain cushion cycle cylinder dairy dancer deck desert desk diary dinner doctor dolphin donkey donor door dragon
drawer dress drill drum duct dune dustbin eagle earring easel editor elbow elevator ember empire engraver envelope
escort estate fabric facet falcony fence ferry festival fibre fiddle figure fireman flagon flame flask fleet flood
floor flour flower flute folder forest fork fossil fountain frame freight friar fridge fringe funnel furnace gadget
gallery gallon game gate gauge gear ghost glacier glove goblet goose gown grape graph grocer guard guild guitar gutter
hammer hamper handle harness hatch hazel hedge helmet hinge hockey hood horn horse hunter hurdle hut iceberg idol
indexer inspector invoice island ivory jacket janitor jar jersey jigsaw jockey judge juggler jungle kayak kennel key
kiosk kite knight knob label ladder lagoonary lake lance lane laser lathe latch laundry lawn lawyer lecture ledger
lens lever lichen lighter lily lime linen lintel lion lizard lobby locker locket log lounge lumber magnet mailbox
manor mantle map marble mariner market mask mast match mattress meadow medal melon mentor metal meteor mill miner
mirage mission mitten monk monkey mortar mosaic motor mountain muffin mural museum mustard napkin necklace needle
nephew nest net nickel notebook novel nozzle nurse nut oak oar oasis ocean olive onion oracle orbit organ otter outfit
oven owl oyster paddle page painter palace pancake panel panther paper parade parcel parish parrot parsley pasta
pastry patch path pavement peach peanut pebble pedal pelican pencil pepper petal piano picnic pigeon pillar pillow
pilot pipe pirate piston pitch plank planter plaster player pocket poet pole pony porch portal porter post poster
potato pottery powder printer prism prison prize probe pudding pulley pump pumpkin pupil puppet purse pyramid quarry
quill quilt rabbit racket radar radio raft rail rancher raven razor recipe record reef ribbon rider rifle ring rivet
robot rocket roof rope rose rotor router ruler runner saddle sailor salad salmon sandal saucer sauna scarf school
scooter scout screw sculptor seal sector sensor settler shade shaft sheep sheriff shield ship shoe shovel shrine
shutter siren sketch slate sled sleeve slipper smith snail socket soldier soup spade sparrow spider spindle sponge
spoon spring squad stable stadium stage stair stamp statue steam steward stick stone stool storm stove strap straw
stream student sugar sultan supper surfer swamp swan sword syrup table tailor tanker tape tapestry target tavern taxi
teacher temple tenant tennis terrace thistle thread throne ticket tiger tiler timber tinker toast tomato tooth torch
tournament toyshop tractor trader trail tram trapper tray tree trench trophy trout truck trumpet trunk tunnel turbine
turtle tutor twig umbrella uncle uniform urchin vaccine valley valve van vase vault vendor verse vessel viaduct villa
vine violin visa volcano voyage wafer waiter wallet walnut wardrobe wasp watch wave weaver wedge whale wheel whistle
wick widget willow window wing wire witness wizard wolf wood wool workshop wreath yacht yard yarn zebra zipper absent
active agile ample ancient angry arid azure bare bitter blank bold brave brief bright brisk calm careful civic clear
clever close coarse cold common complex cool correct crisp cruel curly daily damp dark dense dim direct dull eager
easy exact faint fair faithful false famous fancy fast feeble fertile fierce final firm fit flat fluent foreign formal
fragile fresh full funny global gloomy grand grim gross happy hard harsh hasty high hollowed honest humble icy ideal
idle jolly juicy keen kind known lame late lazy light likely liquid little lively local lonely loose loud lucky lunar
mature mellow mild minor mobile modern moist naked narrow native neat neutral new nimble noble normal odd old open
oval pale patient plainish plump polite poor prime proper proud pure quick rare ready regular rigid ripe rival robust
rough round rude rusty sad safe scarce secret serious shallow sharp shiny short shy simple sleek slim smart smooth
snug social soft solar solid sour spare spicy stale steady steep stiff strict strong sturdy subtle sunny sure tall
tame tart tender tense thick thin tidy tight tiny tired tough true typical upper urgent useful usual vague valid vast
visual vital vivid warm weary wet whole wicked wide wild wise wooden worthy wrong young zealous
"""
VERBS = tuple(
    "lent,sent,given,kept,fixed,filed,drawn,moved,booked,issued,logged,dropped,packed,mixed,sorted,tested,signed off,"
    "taken on,handed over,set up,sent in,put down,cleared,loaded,printed,posted,raised,carried out,traded,"
    "handed in,made,sealed,opened,checked,rolled out,noted,fetched".split(",")
)
RESERVED = frozenset(
    "all and average count each for from group having how index is join keep list many max mean min not number on only "
    "order per select set sum table the there total using what when where which with you "
    # words of SQL that no table or column can be called without quotes (https://sqlite.org/lang_keywords.html)
    "add alter autoincrement between case check collate commit constraint create default deferrable delete distinct "
    "drop else escape except exists foreign insert intersect into isnull limit nothing notnull null primary references "
    "returning then transaction union unique update values".split()
)
_ONSETS = "b bl br c ch cl cr d dr f fl fr g gl gr h j k kl l m n p pl pr qu r s sc sh sk sl sp st str t th tr v w y z"
_NUCLEI = "a e i o u a e i o u ai ea ee oa oo ou ie au"
_CODAS = "n r l s t m d ck nd nt rt st sh ng x p b g ss ll"
_ENDINGS = "er or ist ing age ment ity ness ful less ish al ic ive ous able ed y et on ar um in ol en"


def words_of(theme: Theme) -> Iterator[str]:
    """Every word that a theme uses as a name or in questions, in lower case and without plural ending."""
    for text in strings(theme):
        for word in re.findall(r"[a-z]+", text.lower()):
            yield word
            yield word.removesuffix("s")


def strings(value: object) -> Iterator[str]:
    """Every string in a theme."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from strings(item)


@cache
def shipped() -> frozenset[str]:
    """The words of the shipped themes."""
    return frozenset(word for theme in (*TRAIN_THEMES, *TEST_THEMES) for word in words_of(theme))


@cache
def english() -> tuple[str, ...]:
    """The English words that training may use."""
    return tuple(word for word in dict.fromkeys(_ENGLISH.split()) if word not in shipped())


def invent(rng: np.random.Generator) -> str:
    """A pronounceable word, or a common one; never a shipped one."""
    while True:
        if rng.random() < 0.45:
            word = _pick(english(), rng)
            word += _pick(_ENDINGS.split(), rng) if rng.random() < 0.15 else ""
        else:
            word = "".join(
                _pick(_ONSETS.split(), rng) + _pick(_NUCLEI.split(), rng) for _ in range(1 + (rng.random() < 0.35))
            )
            word += _pick(_CODAS.split(), rng)
            word += _pick(_ENDINGS.split(), rng) if rng.random() < 0.5 else ""
        forms = {word, word.removesuffix("s"), f"{word}s"}
        if len(word) > 2 and not forms & shipped() and not forms & RESERVED:
            return word


def _pick(options, rng: np.random.Generator):
    return options[int(rng.integers(len(options)))]
