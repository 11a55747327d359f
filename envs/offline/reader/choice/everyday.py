"""What anyone who knows English would assume; nothing about any subject."""

_ATTRIBUTES = (
    "weight: heavy hefty; age: old aged; height: tall high; depth: deep; draught: deep; width: wide; spread: broad; "
    "length: long; girth: thick; thickness: thick; size: big large; speed: fast quick; price: costly expensive dear; "
    "strength: strong; hardness: hard; roughness: rough; softness: soft; sweetness: sweet; density: dense; "
    "bloom: flowery; thirst: thirsty; crew: crowded; rust: rusty; clarity: clear; warmth: warm; purity: pure; "
    "lustre: shiny; noise: loud noisy; temper: angry; stickiness: sticky; brightness: bright; distance: distant far; "
    "redness: red; steadiness: steady; volume: loud; heat: hot; temperature: hot"
)
_UNITS = (
    "10 decade century; 100 year century; 24 hour day; 10 year decade; 60 arcminute degree; 12 piece dozen; "
    "14 day fortnight; 10 chain furlong; 8 pint gallon; 4 quart gallon; 4 peck bushel; 60 minute hour; "
    "1000 gram kilogram; 1000 metre kilometre; 3 mile league; 100 centimetre metre; 60 second minute; 16 dram ounce; "
    "16 ounce pound; 4 cup quart; 24 sheet quire; 3 moon season; 3 month season; 5 reef knot; 14 pound stone; "
    "8 bell watch; 7 day week; 12 month year; 52 week year"
)
ATTRIBUTES = {
    adjective: noun
    for noun, adjectives in (group.split(": ") for group in _ATTRIBUTES.split("; "))
    for adjective in adjectives.split()
}
UNITS = {(large, small): int(count) for count, small, large in (unit.split() for unit in _UNITS.split("; "))}
