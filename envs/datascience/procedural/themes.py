"""The themes: four to train on, three to test on."""

from lse_gym.envs.datascience.procedural.theme import Category, Measure, Target, Theme

CENTS, MINUTES, GRAMS = 100, 60, 1000

BAKERY = Theme(
    name="bakery",
    thing="batch",
    things="batches",
    inputs=(Measure("flour", 5, 80), Measure("proofing", 20, 180), Measure("oven_heat", 160, 260)),
    lookup="millers",
    keys=("miller_no", "sack_mark"),
    extra=Measure("protein", 80, 150),
    targets=(
        Target("revenue", 20, 400, "euros", "cents", CENTS, (1, 5, 10)),
        Target("labour", 1, 16, "hours", "minutes", MINUTES, (0.25, 0.5)),
    ),
    groups=(Category("outlet", ("harbour", "market", "station")), Category("loaf", ("rye", "spelt", "wheat"))),
    state=Category("bake_state", ("sold", "stored", "spoiled", "trial")),
    origin=Category("oven_line", ("day", "night", "school")),
    grade=Category("crust", ("pale", "golden", "dark")),
    leaks=("loaves_returned", "till_tax"),
    series=Measure("rolls_sold", 200, 900),
    driver=Measure("passers_by", 500, 2500),
    terms=("customary", "telling"),
    names={"crust": ("crust_call", "crust_sorted"), "rolls_sold": ("rolls_due", "rolls_outlook")},
)

CINEMA = Theme(
    name="cinema",
    thing="screening",
    things="screenings",
    inputs=(Measure("trailers", 2, 30), Measure("buzz", 10, 95), Measure("film_age", 20, 400)),
    lookup="distributors",
    keys=("contract_no", "reel_code"),
    extra=Measure("budget", 40, 600),
    targets=(
        Target("takings", 60, 900, "pounds", "pence", CENTS, (5, 10, 20)),
        Target("cleaning", 0.5, 9, "hours", "minutes", MINUTES, (0.25, 0.5)),
    ),
    groups=(Category("hall", ("crimson", "ivory", "cobalt")), Category("genre", ("drama", "comedy", "horror"))),
    state=Category("show_state", ("shown", "repeated", "cancelled", "rehearsed")),
    origin=Category("ticket_kind", ("public", "press", "staff")),
    grade=Category("mood", ("bored", "pleased", "thrilled")),
    leaks=("walkouts", "levy_paid"),
    series=Measure("seats_filled", 100, 700),
    driver=Measure("rainfall", 10, 90),
    terms=("standard", "notable"),
    names={"mood": ("mood_call", "mood_sorted"), "seats_filled": ("seats_due", "seats_outlook")},
)

RENTAL = Theme(
    name="rental",
    thing="hire",
    things="hires",
    inputs=(Measure("saddle_age", 10, 120), Measure("gear_wear", 5, 75), Measure("slope", 20, 340)),
    lookup="riders",
    keys=("rider_no", "fob_code"),
    extra=Measure("fitness", 30, 98),
    targets=(
        Target("deposit", 15, 300, "francs", "rappen", CENTS, (1, 5, 10)),
        Target("cargo", 1, 24, "kilograms", "grams", GRAMS, (0.5, 1)),
    ),
    groups=(Category("depot", ("riverside", "campus", "airport")), Category("frame", ("steel", "carbon", "alloy"))),
    state=Category("hire_state", ("closed", "extended", "voided", "demo")),
    origin=Category("booking_path", ("app", "kiosk", "mechanic")),
    grade=Category("damage", ("spotless", "scuffed", "wrecked")),
    leaks=("repair_tickets", "fine_issued"),
    series=Measure("rides_logged", 80, 600),
    driver=Measure("sun_index", 5, 95),
    terms=("going", "leading"),
    names={"damage": ("damage_call", "damage_sorted"), "rides_logged": ("rides_due", "rides_outlook")},
)

GYM = Theme(
    name="gym",
    thing="workout",
    things="workouts",
    inputs=(Measure("warmup", 3, 40), Measure("pulse", 60, 190), Measure("reps", 20, 320)),
    lookup="coaches",
    keys=("coach_no", "badge_mark"),
    extra=Measure("tenure", 6, 240),
    targets=(
        Target("fee", 10, 180, "dollars", "cents", CENTS, (0.5, 1, 5)),
        Target("session", 0.5, 8, "hours", "minutes", MINUTES, (0.25, 0.5)),
    ),
    groups=(Category("studio", ("loft", "cellar", "terrace")), Category("class_kind", ("spin", "yoga", "boxing"))),
    state=Category("visit_state", ("attended", "shortened", "noshow", "mock")),
    origin=Category("plan", ("monthly", "yearly", "employee")),
    grade=Category("strain", ("gentle", "brisk", "fierce")),
    leaks=("sore_days", "rebate"),
    series=Measure("lockers_used", 90, 500),
    driver=Measure("chill_index", 10, 80),
    terms=("ordinary", "striking"),
    names={"strain": ("strain_call", "strain_sorted"), "lockers_used": ("lockers_due", "lockers_outlook")},
)

FERRY = Theme(
    name="ferry",
    thing="crossing",
    things="crossings",
    inputs=(Measure("swell", 5, 60), Measure("headwind", 10, 110), Measure("ballast", 40, 420)),
    lookup="skippers",
    keys=("licence_no", "pennant"),
    extra=Measure("sea_years", 20, 380),
    targets=(
        Target("fuel_bill", 30, 600, "kroner", "oere", CENTS, (5, 10, 20)),
        Target("delay", 0.5, 10, "hours", "minutes", MINUTES, (0.25, 0.5)),
    ),
    groups=(Category("quay", ("northern", "granary", "lighthouse")), Category("deck", ("open", "covered", "vehicle"))),
    state=Category("trip_state", ("docked", "rerouted", "aborted", "drill")),
    origin=Category("traffic", ("passenger", "freight", "crew")),
    grade=Category("ride", ("smooth", "choppy", "violent")),
    leaks=("seasick_reports", "harbour_dues"),
    series=Measure("cars_carried", 60, 480),
    driver=Measure("holiday_index", 5, 90),
    terms=("prevailing", "record"),
    names={"ride": ("ride_label", "ride_rated"), "cars_carried": ("cars_ahead", "cars_planned")},
)

WINERY = Theme(
    name="winery",
    thing="barrel",
    things="barrels",
    inputs=(Measure("brix", 12, 34), Measure("ripening", 30, 160), Measure("cellar_damp", 40, 95)),
    lookup="growers",
    keys=("grower_no", "parcel_tag"),
    extra=Measure("vine_age", 4, 90),
    targets=(
        Target("bid", 80, 1200, "lire", "centesimi", CENTS, (5, 10, 20)),
        Target("sediment", 1, 18, "kilograms", "grams", GRAMS, (0.25, 0.5)),
    ),
    groups=(Category("vault", ("upper", "lower", "annex")), Category("grape", ("merlot", "riesling", "malbec"))),
    state=Category("cask_state", ("bottled", "ageing", "leaked", "sample")),
    origin=Category("harvest", ("manual", "machine", "bought")),
    grade=Category("body", ("thin", "round", "heavy")),
    leaks=("complaint_letters", "excise"),
    series=Measure("corks_pulled", 150, 800),
    driver=Measure("coach_parties", 4, 60),
    terms=("fair", "reserve"),
    names={"body": ("body_label", "body_rated"), "corks_pulled": ("corks_ahead", "corks_planned")},
)

VET = Theme(
    name="vet",
    thing="visit",
    things="visits",
    inputs=(Measure("fur_length", 2, 50), Measure("heartbeat", 70, 220), Measure("appetite", 10, 99)),
    lookup="owners",
    keys=("owner_no", "chip_code"),
    extra=Measure("garden_size", 20, 500),
    targets=(
        Target("invoice", 25, 500, "zloty", "grosze", CENTS, (1, 5, 10)),
        Target("tumour", 1, 20, "grams", "milligrams", GRAMS, (0.25, 0.5)),
    ),
    groups=(Category("branch", ("meadow", "canal", "viaduct")), Category("species", ("dog", "cat", "ferret"))),
    state=Category("case_state", ("treated", "referred", "withdrawn", "training")),
    origin=Category("arrival", ("waiting", "appointed", "internal")),
    grade=Category("urgency", ("calm", "soon", "critical")),
    leaks=("followups", "claim_paid"),
    series=Measure("doses_given", 70, 450),
    driver=Measure("pollen", 5, 85),
    terms=("familiar", "utmost"),
    names={"urgency": ("urgency_label", "urgency_rated"), "doses_given": ("doses_ahead", "doses_planned")},
)

TRAIN_THEMES = (BAKERY, CINEMA, RENTAL, GYM)
TEST_THEMES = (FERRY, WINERY, VET)
