"""The themes of the embedded family: five to train on, three to test on. They share no table, column or adjective."""

from lse_gym.envs.sql.procedural.theme import Adjective, Code, Dated, Entity, Measure, Theme

CENTS = (1, 100)  # money: whole units or hundredths

LIBRARY = Theme(
    name="library",
    event=Entity("loans", "loan", "slip_number", "slip numbers", "checkouts"),
    person=Entity("members", "member", "full_name", "names", "patrons"),
    thing=Entity("books", "book", "title", "titles", "volumes"),
    place=Entity("branches", "branch", "branch_name", "names", "outlets"),
    person_word="by",
    thing_word="of",
    place_word="at",
    codes=(
        Code("person", "tier", ("gold", "silver", "plain")),
        Code("thing", "genre", ("crime", "poetry", "travel", "science")),
        Code("place", "zone", ("urban", "rural")),
    ),
    measures=(
        Measure("event", "fee", ("fee",), 1, 60, "dollars", CENTS),
        Measure("thing", "price", ("list_price", "shelf_price"), 5, 90),
        Measure("event", "rating", ("rating",), 1, 10, sentinels=(-1, 0, 99)),
    ),
    adjectives=(Adjective("thing", "long", "pages"), Adjective("event", "costly", "fee")),
    dates=(Dated("event", "loaned_on", "taken out"), Dated("person", "joined_on", "who signed up")),
    open_word="outstanding",
    open_column="returned_on",
    flag_column="record_state",
    place_names=("Northgate", "Harbour", "Elmwood", "Castle", "Riverside", "Milltown"),
    thing_words=(
        ("Silent", "Broken", "Golden", "Hidden", "Distant", "Burning", "Frozen", "Empty"),
        ("River", "Mirror", "Garden", "Letter", "Harvest", "Compass", "Tower", "Orchard"),
    ),
)

SHOP = Theme(
    name="shop",
    event=Entity("orders", "order", "order_number", "order numbers", "purchases"),
    person=Entity("customers", "customer", "customer_name", "names", "shoppers"),
    thing=Entity("products", "product", "product_name", "names", "articles"),
    place=Entity("stores", "store", "store_name", "names", "premises"),
    person_word="from",
    thing_word="for",
    place_word="in",
    codes=(
        Code("person", "segment", ("loyal", "casual", "lapsed")),
        Code("thing", "category", ("kitchen", "outdoor", "office", "toy")),
        Code("place", "format", ("flagship", "express")),
    ),
    measures=(
        Measure("event", "revenue", ("gross_revenue", "net_revenue"), 10, 400),
        Measure("event", "shipping", ("shipping",), 2, 40, "euros", CENTS),
        Measure("thing", "stock", ("stock",), 1, 300, sentinels=(-1, 9999)),
    ),
    adjectives=(Adjective("thing", "heavy", "weight"), Adjective("event", "bulky", "item_count")),
    dates=(Dated("event", "ordered_at", "placed"), Dated("person", "created_at", "who registered")),
    open_word="pending",
    open_column="shipped_at",
    flag_column="entry_mode",
    place_names=("Westfield", "Arcadia", "Parkside", "Lakeview", "Oldtown", "Summit"),
    thing_words=(
        ("Compact", "Folding", "Classic", "Deluxe", "Magnetic", "Striped", "Mini", "Cordless"),
        ("Lamp", "Kettle", "Stapler", "Tent", "Puzzle", "Shelf", "Whisk", "Lantern"),
    ),
)

TRANSIT = Theme(
    name="transit",
    event=Entity("trips", "trip", "trip_code", "trip codes", "runs"),
    person=Entity("drivers", "driver", "driver_name", "names", "operators"),
    thing=Entity("vehicles", "vehicle", "plate", "plates", "units"),
    place=Entity("depots", "depot", "depot_name", "names", "garages"),
    person_word="by",
    thing_word="with",
    place_word="from",
    codes=(
        Code("person", "licence", ("senior", "trainee", "relief")),
        Code("thing", "engine", ("diesel", "hybrid", "electric")),
        Code("place", "district", ("inner", "outer")),
    ),
    measures=(
        Measure("event", "distance", ("distance",), 3, 180, "kilometres", (1, 1000)),
        Measure("event", "delay", ("scheduled_delay", "actual_delay"), 0, 50),
        Measure("thing", "mileage", ("mileage",), 20, 900, sentinels=(-1, 0)),
    ),
    adjectives=(Adjective("thing", "large", "seats"), Adjective("event", "crowded", "passengers")),
    dates=(Dated("event", "run_date", "run"), Dated("person", "hired_date", "who started")),
    open_word="unfinished",
    open_column="arrival_date",
    flag_column="log_kind",
    place_names=("Eastyard", "Central", "Airport", "Hillcrest", "Dockside", "Junction"),
    thing_words=(
        ("KX", "LM", "PT", "RV", "SB", "TN", "VD", "WH"),
        ("Ten", "Eleven", "Forty", "Fifty", "Sixty", "Seventy", "Eighty", "Ninety"),
    ),
)

FARM = Theme(
    name="farm",
    event=Entity("harvests", "harvest", "lot_number", "lot numbers", "pickings"),
    person=Entity("growers", "grower", "grower_name", "names", "farmers"),
    thing=Entity("crops", "crop", "variety", "varieties", "cultivars"),
    place=Entity("fields", "field", "field_name", "names", "plots"),
    person_word="by",
    thing_word="of",
    place_word="on",
    codes=(
        Code("person", "contract", ("seasonal", "permanent", "partner")),
        Code("thing", "family", ("root", "leafy", "citrus", "grain")),
        Code("place", "soil", ("sandy", "clay")),
    ),
    measures=(
        Measure("event", "yield", ("yield",), 2, 90, "tonnes", (1, 1000)),
        Measure("thing", "cost", ("seed_cost", "full_cost"), 5, 200),
        Measure("event", "moisture", ("moisture",), 5, 60, sentinels=(-1, 99)),
    ),
    adjectives=(Adjective("thing", "slow", "growing_days"), Adjective("event", "labour-intensive", "hours")),
    dates=(Dated("event", "picked_on", "brought in"), Dated("person", "since_date", "who came")),
    open_word="unsold",
    open_column="sold_on",
    flag_column="source",
    place_names=("Longmeadow", "Ridge", "Hollow", "Brookside", "Windmill", "Southend"),
    thing_words=(
        ("Amber", "Early", "Royal", "Crimson", "Dwarf", "Winter", "Sweet", "Giant"),
        ("Beauty", "Star", "Pearl", "Crown", "Spear", "Globe", "Ruby", "Jewel"),
    ),
)

STUDIO = Theme(
    name="studio",
    event=Entity("sessions", "session", "session_code", "session codes", "bookings"),
    person=Entity("artists", "artist", "stage_name", "names", "performers"),
    thing=Entity("instruments", "instrument", "model", "models", "devices"),
    place=Entity("rooms", "room", "room_name", "names", "suites"),
    person_word="by",
    thing_word="using",
    place_word="in",
    codes=(
        Code("person", "standing", ("signed", "independent", "guest")),
        Code("thing", "section", ("brass", "string", "percussion", "keyboard")),
        Code("place", "build", ("treated", "untreated")),
    ),
    measures=(
        Measure("event", "duration", ("duration",), 1, 12, "hours", (1, 60)),
        Measure("thing", "value", ("purchase_value", "insured_value"), 100, 5000),
        Measure("event", "loudness", ("loudness",), 40, 95, sentinels=(-1, 0)),
    ),
    adjectives=(Adjective("thing", "vintage", "age_years"), Adjective("event", "marathon", "takes")),
    dates=(Dated("event", "held_on", "held"), Dated("person", "debut_date", "who debuted")),
    open_word="unpaid",
    open_column="paid_on",
    flag_column="origin",
    place_names=("Cedar", "Basement", "Skylight", "Velvet", "Granite", "Echo"),
    thing_words=(
        ("Aria", "Forte", "Nova", "Luna", "Delta", "Orion", "Vega", "Sonic"),
        ("Prime", "Classic", "Studio", "Legacy", "Master", "Junior", "Concert", "Touring"),
    ),
)

CLINIC = Theme(
    name="clinic",
    event=Entity("visits", "visit", "visit_number", "visit numbers", "consultations"),
    person=Entity("patients", "patient", "patient_name", "names", "clients"),
    thing=Entity("treatments", "treatment", "treatment_name", "names", "therapies"),
    place=Entity("wards", "ward", "ward_name", "names", "departments"),
    person_word="of",
    thing_word="for",
    place_word="at",
    codes=(
        Code("person", "cover", ("insured", "subsidised", "private")),
        Code("thing", "approach", ("surgical", "dental", "manual", "remote")),
        Code("place", "wing", ("east-wing", "west-wing")),
    ),
    measures=(
        Measure("event", "bill", ("bill",), 20, 900, "dollars", CENTS),
        Measure("event", "wait", ("planned_wait", "recorded_wait"), 0, 120),
        Measure("event", "pain", ("pain",), 1, 10, sentinels=(-1, 0, 99)),
    ),
    adjectives=(Adjective("thing", "intensive", "effort_points"), Adjective("event", "lengthy", "minutes")),
    dates=(Dated("event", "seen_on", "recorded"), Dated("person", "enrolled_on", "who enrolled")),
    open_word="ongoing",
    open_column="closed_on",
    flag_column="record_type",
    place_names=("Maple", "Sunrise", "Fleming", "Curie", "Orchid", "Beacon"),
    thing_words=(
        ("Basic", "Advanced", "Guided", "Pulsed", "Gentle", "Focused", "Rapid", "Deep"),
        ("Scan", "Massage", "Filling", "Therapy", "Checkup", "Infusion", "Suture", "Screening"),
    ),
)

HOTEL = Theme(
    name="hotel",
    event=Entity("stays", "stay", "voucher", "vouchers", "reservations"),
    person=Entity("guests", "guest", "guest_name", "names", "visitors"),
    thing=Entity("packages", "package", "package_name", "names", "offers"),
    place=Entity("hotels", "hotel", "hotel_name", "names", "houses"),
    person_word="by",
    thing_word="on",
    place_word="at",
    codes=(
        Code("person", "programme", ("platinum", "bronze", "corporate")),
        Code("thing", "board", ("breakfast", "halfboard", "inclusive")),
        Code("place", "setting", ("seaside", "alpine", "downtown")),
    ),
    measures=(
        Measure("event", "deposit", ("deposit",), 10, 500, "pounds", CENTS),
        Measure("thing", "rate", ("rack_rate", "member_rate"), 40, 400),
        Measure("event", "satisfaction", ("satisfaction",), 1, 5, sentinels=(0, 9)),
    ),
    adjectives=(Adjective("thing", "generous", "extras"), Adjective("event", "extended", "nights")),
    dates=(Dated("event", "checkin_date", "beginning"), Dated("person", "signup_date", "who subscribed")),
    open_word="current",
    open_column="checkout_date",
    flag_column="channel_state",
    place_names=("Bellevue", "Grandmark", "Palmera", "Edelweiss", "Meridian", "Lagoon"),
    thing_words=(
        ("Quiet", "Family", "Romance", "Golf", "Spa", "Weekend", "Explorer", "Gourmet"),
        ("Escape", "Retreat", "Break", "Special", "Getaway", "Holiday", "Treat", "Bundle"),
    ),
)

LAB = Theme(
    name="lab",
    event=Entity("assays", "assay", "assay_code", "assay codes", "experiments"),
    person=Entity("scientists", "scientist", "scientist_name", "names", "researchers"),
    thing=Entity("samples", "sample", "sample_name", "names", "specimens"),
    place=Entity("benches", "bench", "bench_name", "names", "stations"),
    person_word="by",
    thing_word="on",
    place_word="at",
    codes=(
        Code("person", "post", ("postdoc", "technician", "lead")),
        Code("thing", "matrix", ("serum", "tissue", "saliva", "plasma")),
        Code("place", "hazard", ("sterile", "open-air")),
    ),
    measures=(
        Measure("event", "volume", ("volume",), 1, 80, "millilitres", (1, 1000)),
        Measure("event", "signal", ("raw_signal", "corrected_signal"), 10, 900),
        Measure("thing", "purity", ("purity",), 40, 99, sentinels=(-1, 0)),
    ),
    adjectives=(Adjective("thing", "aged", "storage_days"), Adjective("event", "noisy", "deviation")),
    dates=(Dated("event", "measured_on", "performed"), Dated("person", "arrival_on", "who arrived")),
    open_word="unreviewed",
    open_column="reviewed_on",
    flag_column="run_class",
    place_names=("Alpha", "Mendel", "Pasteur", "Hopper", "Noether", "Darwin"),
    thing_words=(
        ("Blue", "Green", "Red", "White", "Violet", "Grey", "Teal", "Ochre"),
        ("Falcon", "Heron", "Osprey", "Kestrel", "Plover", "Swift", "Wren", "Lark"),
    ),
)

TRAIN_THEMES = (LIBRARY, SHOP, TRANSIT, FARM, STUDIO)
TEST_THEMES = (CLINIC, HOTEL, LAB)
