"""A host in a process of its own, which is killed and started again, and players who do not notice."""

import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import gymnasium as gym

from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.host.secret import draw, public_names, secret_env
from lse_gym.leaderboard.host.store import STORE, PlayStore
from lse_gym.leaderboard.host.tokens import new_token


class HostProcess:
    """``lse-gym leaderboard host``; :meth:`kill` ends it with -9 and starts another on the same port."""

    def __init__(self, board: Path, tracks, port: int = 0):
        self.board, self.tracks, self.port = board, tracks, port
        self.kills = 0
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "lse_gym", "leaderboard", "host", *self.tracks]
        command += ["--board", str(self.board), "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[0]
        self.port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.kills += 1
        self._start()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def actions(player: int, steps: int) -> list[str]:
    """What a player does: contexts that tell players and steps apart."""
    return [f"Answer with a letter.\nPlayer {player} at step {step}." for step in range(steps)]


def go(env, player: int, steps: int) -> list:
    """What a player sees: a reset, the steps, now and then single questions, or a jump back."""
    seen = [env.reset(seed=player)]
    for number, action in enumerate(actions(player, steps)):
        seen.append(env.step(action))
        if number % 7 == 3:
            seen.append(asked(env, f"{action} Asked.", [("feedback", 0), ("held_out", number), ("feedback", 0)]))
        if number % 7 == 6:
            seen.append(env.reset(options={"context": action, "batch": 0}))
    return seen


def asked(env, context: str, places) -> list:
    """What comes of a context on single questions: scores, and what else there is to know of feedback questions."""
    core = env.unwrapped
    domain = core.family.load(core.domain_name)
    counts = {split: len(domain.splits[split]) for split, _ in places}
    questions = [domain.splits[split][number % counts[split]] for split, number in places]
    (found,) = core.session.run([core.session.evaluate(domain, context, questions)])
    attempts = [one for one, (split, _) in zip(found.attempts, places, strict=True) if split == "feedback"]
    report = core.session.report(domain, attempts, core.feedback_mode)
    said = [attempt.response for attempt in attempts if core.feedback_mode != "score"]
    return [found.scores.tolist(), said, repr(report), found.usage]


def play_under_kills(folder: Path, track, players: int, steps: int, kills: int, seed: int) -> tuple[list, list, list]:
    """What every player saw, what an undisturbed run is, and the steps on record; the host is killed meanwhile."""
    rng, tokens = random.Random(seed), []
    Board(folder, create=True).store.close()
    with PlayStore(folder / STORE) as store:
        for number in range(players):
            token, team = new_token(f"team {number}")
            store.add_team(team)
            tokens.append(token)
    host, seen, plays, failures = HostProcess(folder, [track.id]), [None] * players, [""] * players, []

    def player(number: int) -> None:
        try:
            url, token = host.url, tokens[number]
            env = gym.make("LSE/Remote-v0", url=url, track=track.id, token=token, play="only", max_edits=1000)
            seen[number] = go(env, number, steps)
            plays[number] = env.unwrapped._run.split("/")[1]
            env.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=player, args=[number]) for number in range(players)]
    for thread in threads:
        thread.start()
    each = players * steps // (kills + 1)
    with closing(sqlite3.connect(folder / STORE)) as watched:
        next_kill = rng.randrange(each)
        while any(thread.is_alive() for thread in threads):
            time.sleep(rng.uniform(0.0, 0.02))
            if host.kills < kills and watched.execute("SELECT COUNT(*) FROM steps").fetchone()[0] > next_kill:
                host.kill()
                next_kill = each * host.kills + rng.randrange(each)
    assert host.kills == kills
    host.stop()
    if failures:
        raise failures[0]
    name = public_names(track)[0]
    with Board(folder) as board, PlayStore(folder / STORE) as store:
        store.check_log()
        secret = board.secret(track)
        local = [go(secret_env(track, draw(secret, track, play, 0), name), n, steps) for n, play in enumerate(plays)]
        record = [[number for number, *_ in store._rows(RECORD, play)] for play in plays]
    return seen, local, record


RECORD = "SELECT number FROM steps WHERE play = ? ORDER BY id"
