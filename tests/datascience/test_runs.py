from lse_gym.envs.datascience.runs import MAX_RUNS, MAX_SAVED_BYTES, Ran, Run, Runs, key_of

RUN = Run(Ran("told"), {"prediction.csv": b"row_id,y\n"})


def test_a_run_is_known_by_all_that_it_depends_on(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"1")
    base = key_of((20.0, 1), "print(1)", {"a.csv": b"1"}, ["p.csv"])
    assert base == key_of((20.0, 1), "print(1)", {"a.csv": path}, ["p.csv"])  # wherever the same content is
    others = [
        ((21.0, 1), "print(1)", {"a.csv": b"1"}, ["p.csv"]),
        ((20.0, 1), "print(2)", {"a.csv": b"1"}, ["p.csv"]),
        ((20.0, 1), "print(1)", {"a.csv": b"2"}, ["p.csv"]),
        ((20.0, 1), "print(1)", {"b.csv": b"1"}, ["p.csv"]),
        ((20.0, 1), "print(1)", {}, ["p.csv"]),
        ((20.0, 1), "print(1)", {"a.csv": b"1"}, []),
        ((20.0, 1), "print(1)\ud800", {"a.csv": b"1"}, ["p.csv"]),
    ]
    assert base not in {key_of(*other) for other in others}
    assert len({key_of(*other) for other in others}) == len(others)


def test_the_last_small_runs_are_kept():
    runs = Runs()
    assert runs.get(b"0") is None
    for number in range(MAX_RUNS + 1):
        runs.put(b"%d" % number, RUN)
    assert runs.get(b"0") is None
    assert runs.get(b"1") == runs.get(b"%d" % MAX_RUNS) == RUN
    runs.put(b"large", Run(Ran(""), {"a": b"x" * MAX_SAVED_BYTES, "b": b"x", "c": None}))
    assert runs.get(b"large") is None
