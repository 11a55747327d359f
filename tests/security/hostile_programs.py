"""Programs that try to get out of a box, to outlast it, or to make what is around it fail.

Each has a name, its source, and what is to come of it: a failure, several that are all right, or ``value(…)`` where it
looks itself whether an attempt came through. ``{secret}`` is a file of the host, ``{folder}`` its folder, ``{pid}`` a
process of the host's user, ``{port}``, ``{unix}`` and ``{abstract}`` servers that count who comes.
"""

from typing import NamedTuple


class value(NamedTuple):  # noqa: N801 - reads as a word in the table
    """What a program returns when all that it tried was refused."""

    expected: object


LIBC = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
OF_OTHERS = "import os\nothers = [p for p in map(str, range(1, 3000)) if p != str(os.getpid())] + ['{pid}']\n"
FOUND = """
found = []
for path in paths:
    try:
        found.append(open(path, 'rb').read(100).decode('latin-1'))
    except OSError:
        pass
result = found
"""

READS = {
    "a file of the host": ("result = open({secret!r}).read()", "error"),
    "passwords": ("result = open('/etc/shadow').read()", "error"),
    "the environment of a process": ("result = open('/proc/{pid}/environ', 'rb').read().decode()", "error"),
    "the environment of every process": (
        OF_OTHERS + "paths = [f'/proc/{{p}}/environ' for p in others]" + FOUND,
        value([]),
    ),
    "what every process was started with": (
        OF_OTHERS + "paths = [f'/proc/{{p}}/cmdline' for p in others]" + FOUND,
        value([]),
    ),
    "the memory of its parent": ("import os\nopen(f'/proc/{{os.getppid()}}/mem', 'rb')", "error"),
    "the files that its parent has open": ("import os\nos.listdir(f'/proc/{{os.getppid()}}/fd')", "error"),
    "the root through a process": ("import os\nos.listdir('/proc/{pid}/root/')", "error"),
    "names in the root": ("import os\nresult = os.listdir('/')", "error"),
    "names in a home": ("import os, pwd\nresult = os.listdir('/root')", "error"),
    "names in the folder of the secret": ("import os\nresult = os.listdir({folder!r})", "error"),
    "a link to the secret": ("import os\nos.symlink({secret!r}, 'link')\nresult = open('link').read()", "error"),
    "a link up": ("import os\nos.symlink('../../../../../..' + {secret!r}, 'up')\nresult = open('up').read()", "error"),
    "scratch directories of others": (
        "import os\npaths = [f'../{{n}}/private' for n in range(300)] + ['../0/private']" + FOUND,
        value([]),
    ),
    "a database of the host": (
        "import sqlite3\nc = sqlite3.connect(':memory:')\nc.execute('ATTACH ? AS host', ({secret!r},))\n"
        "result = c.execute('SELECT * FROM host.sqlite_master').fetchall()",
        "error",
    ),
    "the source of this package": ("result = open({package!r}).read()", "error"),
    "this package": ("import lse_gym", "error"),
    "the disk": ("import glob\nopen('/dev/sda', 'rb')", "error"),
    "the memory of the machine": ("open('/dev/mem', 'rb')", "error"),
    "the kernel's log": (LIBC + "result = libc.klogctl(3, ctypes.create_string_buffer(4096), 4096)", value(-1)),
    "boot parameters": ("result = open('/proc/cmdline').read()", "error"),
    "mounts": ("result = open('/proc/self/mountinfo').read()", "error"),
    "keys": ("import os\nresult = [v for v in os.environ.values() if 'secret' in v]", value([])),
}
WRITES = {
    "the secret": ("open({secret!r}, 'w').write('overwritten')", "error"),
    "at the end of the secret": ("open({secret!r}, 'a').write('more')", "error"),
    "the secret's length": ("import os\nos.truncate({secret!r}, 0)", "error"),
    "through a link": ("import os\nos.symlink({secret!r}, 'link')\nopen('link', 'w').write('overwritten')", "error"),
    "removal": ("import os\nos.remove({secret!r})", "error"),
    "removal of all": ("import shutil\nshutil.rmtree({folder!r})", "error"),
    "a new file beside it": ("open({folder!r} + '/new', 'w')", "error"),
    "a new folder beside it": ("import os\nos.mkdir({folder!r} + '/new')", "error"),
    "a move out": ("import os\nopen('x', 'w')\nos.rename('x', {folder!r} + '/x')", "error"),
    "a move in": ("import os\nos.rename({secret!r}, 'mine')", "error"),
    "a hard link in": ("import os\nos.link({secret!r}, 'mine')", "error"),
    "modes": ("import os\nos.chmod({secret!r}, 0o777)\nos.chmod({folder!r}, 0o777)", ("", "error")),
    "times": ("import os\nos.utime({secret!r}, (1, 1))", ("", "error")),
    "owners": ("import os\nos.chown({secret!r}, 12345, 12345)", ("", "error")),
    "attributes": ("import os\nos.setxattr({secret!r}, 'user.mine', b'1')", "error"),
    "the standard library": ("import json\nopen(json.__file__, 'a').write('#')", "error"),
    "modes of the standard library": (
        "import json, os\nbefore = os.stat(json.__file__).st_mode\n"
        "try:\n    os.chmod(json.__file__, 0)\n    os.fchmod(os.open(json.__file__, 0), 0)\nexcept OSError: pass\n"
        "result = os.stat(json.__file__).st_mode == before",
        value(True),
    ),
    "a start-up file for Python": ("import site\nopen(site.getsitepackages()[0] + '/evil.pth', 'w')", "error"),
    "/tmp": ("open('/tmp/lse-gym-hostile', 'w')", "error"),
    "shared memory": ("open('/dev/shm/lse-gym-hostile', 'w')", "error"),
    "scratch directories of others": (
        "import os\nresult = []\nfor n in range(300):\n    try:\n"
        "        open(f'../{{n}}/private', 'a').write('more')\n        result.append(n)\n    except OSError: pass",
        value([]),
    ),
    "its scratch directory away": ("import os, shutil\nshutil.rmtree(os.getcwd())", "error"),
    "a device": ("import os\nos.mknod('sda', 0o60666, os.makedev(8, 0))", "error"),
    "a control group": ("import os\nos.mkdir('/sys/fs/cgroup/hostile')", "error"),
    "kernel settings": ("open('/proc/sys/kernel/core_pattern', 'w').write('|/tmp/evil')", "error"),
    "its own chance to be killed": ("open('/proc/self/oom_score_adj', 'w').write('-1000')", "error"),
}
NETWORK = {
    "TCP": ("import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=2)", "error"),
    "UDP": (
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.sendto(b'x', ('127.0.0.1', {port}))",
        "error",
    ),
    "a socket in the file system": (
        "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect({unix!r})\ns.send(b'x')",
        "error",
    ),
    "a socket with a name": (
        "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect('\\0' + {abstract!r})\ns.send(b'x')",
        "error",
    ),
    "a pair turned outwards": (
        "import socket\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\na.connect({unix!r})",
        "error",
    ),
    "a stream turned outwards": (
        "import socket\na, b = socket.socketpair()\nb.close()\na.connect('\\0' + {abstract!r})",
        "error",
    ),
    "a server": ("import socket\nsocket.create_server(('127.0.0.1', 0))", "error"),
    "a page": ("import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}/', timeout=2)", "error"),
    "a name": ("import socket\nresult = socket.gethostbyname('example.com')", "error"),
    "the kernel's sockets": ("import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", "error"),
    "raw packets": ("import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)", "error"),
    "the machine beneath": ("import socket\nsocket.socket(40, socket.SOCK_STREAM)", "error"),
    "a descriptor sent away": (
        "import socket\na, b = socket.socketpair()\nsocket.send_fds(a, [b'x'], [0])",
        "error",
    ),
}
PROCESSES = {
    "a fork": ("import os\nos.fork()", "error"),
    "forks without end": (
        "import os\nresult = 0\nfor _ in range(10000):\n    try:\n        os.fork()\n        result += 1\n"
        "    except OSError: pass",
        value(0),
    ),
    "a fork by another way": (LIBC + "result = libc.vfork()", value(-1)),
    "another program": ("import subprocess\nresult = subprocess.run(['/bin/true']).returncode", "error"),
    "another program instead of itself": ("import os\nos.execv('/bin/true', ['true'])", "error"),
    "a shell": ("import os\nresult = os.system('echo x') == 0", value(False)),
    "a worker": ("import multiprocessing as m\np = m.get_context('fork').Process(target=print)\np.start()", "error"),
    "a pool": ("import concurrent.futures as f\nf.ProcessPoolExecutor(1).submit(print).result()", "error"),
    "a daemon": ("import os\nif os.fork() == 0:\n    os.setsid()\n    os.fork()", "error"),
    "threads without end": (
        "import threading, time\nthreading.stack_size(32768)\n"
        "while True:\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        ("died", "error", "memory"),
    ),
    "the end of its parent": ("import os\nos.kill(os.getppid(), 9)", "error"),
    "the end of all": ("import os\ntry:\n    os.kill(-1, 9)\nexcept OSError: pass", ("", "died")),
    "the end of a process of the host": ("import os\nos.kill({pid}, 9)", "error"),
    "the end of anyone": (
        "import os\nresult = []\nfor p in [*range(1, 3000), {pid}]:\n    if p != os.getpid():\n"
        "        try:\n            os.kill(p, 9)\n            result.append(p)\n        except OSError: pass",
        value([]),
    ),
    "a stop of anyone": (
        "import os, signal\nresult = []\nfor p in [*range(1, 3000), {pid}]:\n    if p != os.getpid():\n"
        "        try:\n            os.kill(p, signal.SIGSTOP)\n            result.append(p)\n"
        "        except OSError: pass",
        value([]),
    ),
    "the end of its group": ("import os, time\nos.killpg(0, 9)\ntime.sleep(1)", ("died", "error")),
    "signals by a file": (
        "import fcntl, os, signal\nr, w = os.pipe()\nfcntl.fcntl(r, fcntl.F_SETOWN, {pid})",
        "error",
    ),
    "a trace": (LIBC + "result = libc.ptrace(16, os.getppid(), 0, 0)", value(-1)),
    "to be traced": (LIBC + "result = libc.prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)", value(-1)),
    "the memory of another": (LIBC + "result = libc.process_vm_readv({pid}, None, 0, None, 0, 0)", value(-1)),
    "a handle on another": ("import os\nos.pidfd_open({pid})", "error"),
    "limits of another": ("import os, resource\nresource.prlimit({pid}, resource.RLIMIT_CPU, (1, 1))", "error"),
    "turns of another": ("import os\nos.setpriority(os.PRIO_PROCESS, {pid}, 19)", "error"),
    "to outlive its parent": (LIBC + "result = libc.prctl(1, 0, 0, 0, 0)", value(-1)),
    "to inherit": (LIBC + "result = libc.prctl(36, 1, 0, 0, 0)", value(-1)),
}
RIGHTS = {
    "namespaces": (
        LIBC + "result = [libc.unshare(1 << bit) for bit in (7, 17, 25, 26, 27, 28, 29, 30)]",
        value([-1] * 8),
    ),
    "a namespace of the host": (LIBC + "result = libc.setns(0, 0)", value(-1)),
    "a new process in a namespace": (LIBC + "result = libc.syscall({clone}, 0x10000011, 0, 0, 0, 0)", value(-1)),
    "a mount": (LIBC + "result = libc.mount(b'x', b'.', b'tmpfs', 0, None)", value(-1)),
    "an unmount": (LIBC + "result = libc.umount2(b'.', 2)", value(-1)),
    "a bind": (LIBC + "result = libc.mount(b'/', b'.', None, 4096, None)", value(-1)),
    "another root": ("import os\nos.chroot('.')", "error"),
    "another user": ("import os\nos.setuid(12345)", "error"),
    "other groups": ("import os\nos.setgroups([0, 1, 2, 3])", "error"),
    "a larger limit": ("import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))", "error"),
    "larger files": ("import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, 1 << 40))", "error"),
    "capabilities": (
        LIBC + "import struct\nresult = libc.capset(struct.pack('Ii', 0x20080522, 0), b'\\xff' * 24)",
        value(-1),
    ),
    "every call that is refused": (
        LIBC + "result = []\nfor number in {refused}:\n    ctypes.set_errno(0)\n"
        "    if libc.syscall(number, -1, -1, -1, -1, -1, -1) != -1 or ctypes.get_errno() != 1:\n"
        "        result.append((number, ctypes.get_errno()))",
        value([]),
    ),
    "calls of tomorrow": (
        LIBC + "result = []\nfor number in range(450, 600):\n    ctypes.set_errno(0)\n"
        "    if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 38:\n"
        "        result.append(number)",
        value([]),
    ),
    "calls of another kind": (LIBC + "libc.syscall(0x40000000 + 39)", ("died", "error")),
    "looser rules": (LIBC + "result = libc.syscall(446, -1, 0)", value(-1)),
}
RESOURCES = {
    "a loop": ("while True: pass", "cpu"),
    "a loop that ignores signals": (
        "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\nwhile True: pass",
        "cpu",
    ),
    "loops in threads": (
        "import threading\ndef loop():\n    while True: pass\n"
        "for _ in range(4): threading.Thread(target=loop).start()\nloop()",
        "cpu",
    ),
    "a loop in C": ("import re\nre.match('(a+)+$', 'a' * 60 + 'b')", "cpu"),
    "arithmetic": ("x = 9 ** (9 ** 9)", ("cpu", "memory")),
    "sleep": ("import time\ntime.sleep(1000)", "time"),
    "its own stop": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", ("time", "error")),
    "its own stop, again and again": (
        "import os, signal\nwhile True: os.kill(os.getpid(), signal.SIGSTOP)",
        ("time", "error"),
    ),
    "a lock": ("import threading\nl = threading.Lock()\nl.acquire()\nl.acquire()", "time"),
    "a pipe to nobody": ("import os\nr, w = os.pipe()\nos.read(r, 1)", "time"),
    "10 GB": ("x = bytearray(10 << 30)", "memory"),
    "more and more": ("x = []\nwhile True: x.append(bytearray(1 << 20))", "memory"),
    "more and more, unmoved": (
        "x = []\nwhile True:\n    try: x.append(bytearray(1 << 20))\n    except MemoryError: pass",
        ("cpu", "memory", "died"),
    ),
    "a bomb of zeros": (
        "import zlib\nc = zlib.compressobj()\n"
        "z = b''.join(c.compress(bytes(1 << 20)) for _ in range(300)) + c.flush()\nx = zlib.decompress(z)",
        ("memory", "cpu"),
    ),
    "maps": ("import mmap\nx = [mmap.mmap(-1, 64 << 20) for _ in range(100)]", ("memory", "error")),
    "memory that is a file": ("import os\nos.memfd_create('x')", "error"),
    "memory that is shared": (
        "from multiprocessing import shared_memory\nshared_memory.SharedMemory('lse_gym_hostile', True, 1 << 20)",
        "error",
    ),
    "a file that fills the disk": ("f = open('f', 'wb', 0)\nwhile True: f.write(bytes(1 << 20))", ("error", "output")),
    "files that fill the disk": (
        "n = 0\nwhile True:\n    n += 1\n    open(str(n), 'wb', 0).write(bytes(1 << 20))",
        ("error", "output"),
    ),
    "files without end": ("n = 0\nwhile True:\n    n += 1\n    open(str(n), 'w').close()", ("error", "output", "cpu")),
    "folders in folders": (
        "import os\nwhile True:\n    os.mkdir('d')\n    os.chdir('d')",
        ("error", "output", "cpu"),
    ),
    "a file with holes": ("import os\nos.truncate(open('f', 'w').name, 1 << 50)", "error"),
    "open files": ("import os\nx = []\nwhile True: x.append(os.open('/dev/null', 0))", "error"),
    "pipes": ("import os\nx = []\nwhile True: x.append(os.pipe())", "error"),
    "output": ("while True: print('x' * 1000)", "output"),
    "output without lines": ("import os\nwhile True: os.write(2, bytes(65536))", "output"),
    "output of two threads": (
        "import os, threading\ndef loop():\n    while True: os.write(1, bytes(4096))\n"
        "threading.Thread(target=loop).start()\nloop()",
        "output",
    ),
    "a large result": ("result = 'x' * (50 << 20)", ("output", "memory")),
    "recursion": ("def f(): f()\nf()", "error"),
    "recursion without a limit": (
        "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): f()\nf()",
        ("error", "memory", "cpu", "died"),
    ),
    "recursion in C": (
        "import sys\nsys.setrecursionlimit(10 ** 9)\nx = []\nfor _ in range(10 ** 6): x = [x]\nrepr(x)",
        ("error", "memory", "cpu", "died"),
    ),
    "a long number": ("result = str(10 ** 100000)", "error"),
    "a very long number": (
        "import sys\nsys.set_int_max_str_digits(0)\nresult = len(str(7 ** (10 ** 7)))",
        ("cpu", "time"),
    ),
    "timers": (
        "import signal\nsignal.signal(signal.SIGALRM, lambda *_: None)\n"
        "signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)\nwhile True: pass",
        "cpu",
    ),
}
# ``link`` is the number of the socket on which its answers go
LINK = (
    "import json, os, stat, struct\ndef is_socket(n):\n    try: return stat.S_ISSOCK(os.fstat(n).st_mode)\n"
    "    except OSError: return False\nlink = next(filter(is_socket, range(3, 64)))\n"
)
TAMPERING = {
    "an exit": ("import os\nos._exit(0)", "died"),
    "a polite exit": ("exit(0)", ("died", "error")),
    "an interrupt": ("raise KeyboardInterrupt", "died"),
    "a crash": ("import ctypes\nctypes.string_at(0)", "died"),
    "an abort": ("import os\nos.abort()", "died"),
    "what is done at exit": (
        "import atexit, time\natexit.register(time.sleep, 1000)\nresult = 1",
        value(1),
    ),
    "what is done at exit, and an exit": (
        "import atexit, sys, time\natexit.register(time.sleep, 9)\nsys.exit()",
        "died",
    ),
    "another json": ("import json\njson.dumps = lambda *a, **k: 'no JSON'", ("", "died")),
    "another json, a true one": ("import json\njson.dumps = lambda *a, **k: '[1, 2]'", ""),
    "no built-ins": (
        "import builtins\nfor name in dir(builtins):\n    if name != 'delattr': delattr(builtins, name)",
        ("died", "error"),
    ),
    "no modules": ("import sys\nsys.modules.clear()\nresult = 1", ("", "died", "error")),
    "no output": ("import sys\nsys.stdout = sys.stderr = None\nresult = 1", value(1)),
    "closed output": ("import sys\nsys.stdout.close()\nsys.stderr.close()\nresult = 1", value(1)),
    "output that raises": (
        "import sys\nclass Evil:\n    def flush(self): raise BaseException\n    write = flush\n"
        "sys.stdout = Evil()\nresult = 1",
        ("", "died"),
    ),
    "closed descriptors": ("import os\nos.closerange(0, 1000)", "died"),
    "closed descriptors, and a loop": ("import os\nos.closerange(0, 1000)\nwhile True: pass", ("died", "cpu")),
    "garbage for an answer": (LINK + "os.write(link, os.urandom(1000))", ("died", "output")),
    "a long garbage": (LINK + "while True: os.write(link, b'\\xff' * 60000)", ("died", "output")),
    "a promise of much": (LINK + "os.write(link, struct.pack('!I', 0xffffffff))\nwhile True: pass", "output"),
    "half an answer": (LINK + "os.write(link, struct.pack('!I', 100) + b'V')\nos._exit(0)", "died"),
    "an answer before the answer": (
        LINK + "text = b'V\"forged\"'\nos.write(link, struct.pack('!I', len(text)) + text)",
        ("", "died"),
    ),
    "an answer of no kind": (LINK + "os.write(link, struct.pack('!I', 1) + b'?')\nwhile True: pass", "died"),
    "answers without end": (
        LINK + "text = b'V1'\nwhile True: os.write(link, struct.pack('!I', len(text)) + text)",
        ("", "died"),
    ),
    "a question eaten": (LINK + "import socket\ns = socket.socket(fileno=link)\ns.shutdown(socket.SHUT_RDWR)", "died"),
    "NaN": ("result = float('nan')", "error"),
    "NaN all the same": (LINK + "os.write(link, struct.pack('!I', 4) + b'VNaN')\nwhile True: pass", "died"),
    "infinity": ("result = [float('inf')]", "error"),
    "half a character": ("result = '\\ud800'", "died"),
    "no text": (LINK + "os.write(link, struct.pack('!I', 4) + b'V\"\\xff\"')\nwhile True: pass", "died"),
    "a deep result": ("result = []\nfor _ in range(100000): result = [result]", ("error", "died")),
    "a deep result all the same": (
        LINK + "os.write(link, struct.pack('!I', 200001) + b'V' + b'[' * 200000)\nwhile True: pass",
        ("died", "cpu"),
    ),
    "a long number for a result": (
        LINK + "os.write(link, struct.pack('!I', 100001) + b'V' + b'9' * 100000)\nwhile True: pass",
        "died",
    ),
    "a set": ("result = {{1, 2}}", "error"),
    "a pickle": ("import pickle\nresult = pickle.dumps(print)", "error"),
    "an object that unpickles to a call": (
        "import os\nclass Evil:\n    def __reduce__(self): return os.system, ('touch ' + {folder!r} + '/new',)\n"
        "result = Evil()",
        "error",
    ),
    "a dictionary that acts": (
        "class Evil(dict):\n    def items(self): raise SystemExit\n    __iter__ = keys = items\nresult = Evil(a=1)",
        ("", "error", "died"),
    ),
    "a number that acts": ("class Evil(int):\n    def __repr__(self): return '[[['\nresult = Evil(3)", value(3)),
    "an error that cannot be told": (
        "class Evil(Exception):\n    def __str__(self): raise SystemExit\n    __repr__ = __str__\nraise Evil",
        ("error", "died"),
    ),
    "an error that is long": ("raise ValueError('x' * 10 ** 7)", "error"),
    "an error of errors": (
        "class Evil(type):\n    __name__ = property(lambda s: 1 / 0)\n"
        "class E(BaseException, metaclass=Evil): pass\nraise E",
        ("error", "died"),
    ),
    "an error of every name": ("raise BaseExceptionGroup('g', [SystemExit(), GeneratorExit()])", "error"),
    "terminal codes": ("print('\\x1b]0;owned\\x07')\nresult = 1", value(1)),
    "bytes that are no text": ("import os\nos.write(1, bytes(range(256)))\nresult = 1", value(1)),
    "objects of the box": (
        "import gc, socket\nfor o in gc.get_objects():\n    if isinstance(o, socket.socket): o.close()",
        "died",
    ),
    "a trace function": (
        "import sys\ndef trace(frame, *_):\n    frame.f_locals.clear()\n    return trace\n"
        "sys.setprofile(trace)\nresult = 1",
        ("", "died", "error"),
    ),
}
PROGRAMS = {
    f"{group}: {name}": program
    for group, programs in {
        "reads": READS,
        "writes": WRITES,
        "network": NETWORK,
        "processes": PROCESSES,
        "rights": RIGHTS,
        "resources": RESOURCES,
        "tampering": TAMPERING,
    }.items()
    for name, program in programs.items()
}
SETUPS = {  # run in the warm process: what comes of the start, and of a call in a box
    "reads the secret": ("open({secret!r})", "PermissionError|FileNotFoundError", None),
    "reads what its supervisor knows": (
        "import os\nopen(f'/proc/{{os.getppid()}}/environ').read()",
        "PermissionError|FileNotFoundError",
        None,
    ),
    "ends its supervisor": ("import os\nos.kill(os.getppid(), 9)", "PermissionError", None),
    "writes beside its folder": ("open({folder!r} + '/new', 'w')", "PermissionError|FileNotFoundError", None),
    "goes on the network": ("import socket\nsocket.create_connection(('127.0.0.1', {port}))", "PermissionError", None),
    "forks": ("import os\nos.fork()", "PermissionError", None),
    "starts programs": ("import os\nos.execv('/bin/true', ['true'])", "PermissionError", None),
    "needs too much memory": ("x = bytearray(1 << 30)", "MemoryError", None),
    "ends": ("import os\nos._exit(0)", "its process ended", None),
    "crashes": ("import ctypes\nctypes.string_at(0)", "its process ended", None),
    "says nonsense": ("import os, time\nos.write(3, b'[')\ntime.sleep(60)", "its process ended", None),
    "says that it is ready": (
        'import os, time\nos.write(3, b\'{{"problem": ""}}\')\ntime.sleep(0.1)\nos._exit(0)',
        None,
        "died",
    ),
    "leaves threads": (
        "import threading\ndef loop():\n    while True: pass\nfor _ in range(3): threading.Thread(target=loop).start()",
        None,
        "",
    ),
    "leaves a handler": ("import os\nos.register_at_fork(after_in_child=lambda: os._exit(0))", None, "died"),
    "lies about forks": ("import os\nos.fork = lambda: 1", None, "died"),
    "forks for itself": (
        "import os\nfork = os.fork\ndef evil():\n    if fork() == 0:\n        while True: pass\n    return 1\n"
        "os.fork = evil",
        None,
        "died",
    ),
    "forks twice": (
        "import os\nfork = os.fork\ndef evil():\n    pid = fork()\n    try: fork()\n    except OSError: return pid\n"
        "    os._exit(0)\nos.fork = evil",
        None,
        "",
    ),
    "never forks": ("import os, time\nos.fork = lambda: time.sleep(100)", None, "died"),
    "takes the functions": ("import inside\ninside.echo = lambda argument: 1 / 0", None, "error"),
}
