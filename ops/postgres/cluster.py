"""One cluster: create, start, stop, ask, through initdb, pg_ctl and psql. Callers hold the folder's lock (control)."""

import os
import secrets
import shutil
from pathlib import Path

import msgspec

from ops.errors import OperatorError
from ops.postgres.account import Account, choose_account, owner_of
from ops.postgres.binaries import find_binaries
from ops.postgres.place import (
    clear_socket_folder,
    free_port,
    is_free,
    lead_to_socket,
    make_folder,
    place_files,
    remove_files,
    socket_folder,
)
from ops.postgres.postmaster import clear_remains, pid_state, postmaster_pid, settled_state
from ops.postgres.server import DATABASE, ROLE, SUPERUSER, Server
from ops.postgres.tuning import Listening, settings_text

START_SECONDS = 300  # recovery after a crash replays at most max_wal_size; this is far beyond it
PORT_ATTEMPTS = 5
LOCALE = {16: ["--locale=C"], 18: ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]}
INCLUDE_OURS = "\ninclude 'elruso.conf'  # written anew at every start; settings of your own go below this line\n"


class Memory(msgspec.Struct, frozen=True):
    """What a cluster remembers between starts, in `server.json`, mode 0600."""

    password: str
    port: int = 0
    socket: str = ""
    complete: bool = False  # false until the role and the database are there


class Cluster:
    """One cluster under `folder`, which holds `server.json` and `files` (see place)."""

    def __init__(self, folder: Path, major: int, *, unsafe: bool = False) -> None:
        self.folder = folder
        self.major = major
        self.unsafe = unsafe

    @property
    def files(self) -> Path:
        """Where data, log and socket really are."""
        return (self.folder / "files").resolve()

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.files / "data"

    def running(self) -> Server | None:
        """The server, if it is complete and takes connections."""
        memory = self._recall()
        if memory is None or not memory.complete or settled_state(self.data, START_SECONDS) != "ready":
            return None
        return Server(self.major, memory.port, Path(memory.socket), memory.password, self.files)

    def is_gone(self) -> bool:
        """Whether a server that was complete runs no more, though nobody asked it to stop."""
        try:
            memory = self._recall()
            complete = memory is not None and memory.complete and self.data.is_dir()
            return complete and not self._stop_note.exists() and pid_state(self.data) in ("absent", "stale")
        except (OperatorError, OSError):  # the folder itself is gone or unreadable: nothing to start there
            return False

    def start(self) -> Server:
        """Create the cluster if it is missing or was left half made, start it, wait until it takes connections."""
        memory = self._recall() or self._first_memory()
        self._stop_note.unlink(missing_ok=True)
        if not self.data.exists():
            self._initialise(memory)
        if settled_state(self.data, START_SECONDS) != "ready":
            memory = self._start(memory)
        if not memory.complete:
            memory = self._complete(memory)
        return Server(self.major, memory.port, Path(memory.socket), memory.password, self.files)

    def stop(self) -> None:
        """Stop the server: clients are disconnected, open transactions rolled back, everything flushed to disk."""
        outcome = self._run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "-t", str(START_SECONDS), "stop")
        if settled_state(self.data, START_SECONDS) == "ready":
            raise OperatorError("postgres.stop_failed", output=outcome[-1])
        self._stop_note.touch(mode=0o600)
        memory = self._recall()
        if memory is not None:
            clear_socket_folder(memory.socket)

    def abandon_start(self) -> None:
        """Stop a server whose start was interrupted, ready or not."""
        if pid_state(self.data) in ("busy", "ready"):
            self.stop()

    def keep(self) -> None:
        """Note that this run of the server is to outlive its users. The note dies with the run: it names its pid."""
        _write_private(self.folder / "kept", str(postmaster_pid(self.data)))

    def is_kept(self) -> bool:
        """Whether `keep` was called for this run of the server."""
        try:
            return (self.folder / "kept").read_text() == str(postmaster_pid(self.data))
        except (OSError, ValueError):
            return False

    def clients(self) -> int:
        """How many client connections are open, beside the one that asks."""
        return int(self.ask("SELECT count(*) - 1 FROM pg_stat_activity WHERE backend_type = 'client backend'"))

    def ask(self, statement: str) -> str:
        """Run one administrative statement as superuser; its answer as text. Raises OperatorError if refused."""
        memory = self._recall()
        assert memory is not None
        address = ["-h", memory.socket, "-p", str(memory.port), "-U", SUPERUSER, "-d", "postgres"]
        options = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1"]
        status, output = self._run("psql", *address, *options, "-c", statement, password=memory.password)
        if status != 0:
            raise OperatorError("postgres.refused", statement=statement.split()[0], output=output)
        return output

    def remove(self) -> None:
        """Delete the cluster with all it holds."""
        remove_files(self.folder)

    @property
    def _stop_note(self) -> Path:
        """There from an orderly stop until the next start."""
        return self.folder / "stopped"

    def _initialise(self, memory: Memory) -> None:
        """initdb into a draft that is renamed when it is whole, so that a killed initdb leaves no half cluster."""
        account = owner_of(self.files)
        draft, password_file = self.files / "data.draft", self.files / "password"
        shutil.rmtree(draft, ignore_errors=True)
        account.write(password_file, memory.password)
        options = [f"--username={SUPERUSER}", f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8"]
        quick = ["--no-sync"] if self.unsafe else []
        status, output = self._run("initdb", "-D", draft, *options, *LOCALE[self.major], *quick)
        password_file.unlink()
        if status != 0:
            raise OperatorError("postgres.initdb_failed", folder=self.files, output=output)
        settings = draft / "postgresql.conf"
        account.write(settings, settings.read_text() + INCLUDE_OURS)
        draft.rename(self.data)

    def _start(self, memory: Memory) -> Memory:
        """Start on the remembered port, or on another if that is taken; remember what was used."""
        account = owner_of(self.files)
        socket = socket_folder(self.files, account, memory.socket)
        clear_remains(self.data, socket)
        start_log = self.files / "start.log"
        port = memory.port if memory.port and is_free(memory.port) else free_port()
        for _attempt in range(PORT_ATTEMPTS):
            self._write_settings(account, Listening(port, socket))
            command: list[str | Path] = ["-D", self.data, "-l", start_log, "-w", "-t", str(START_SECONDS), "start"]
            start_log.unlink(missing_ok=True)
            status, output = self._run("pg_ctl", *command)
            if status == 0:
                if memory.port and memory.port != port:
                    lead_to_socket(socket, account, memory.port, port)
                return self._remember(msgspec.structs.replace(memory, port=port, socket=str(socket)))
            output += "\n" + self._last_words(start_log)
            if "Address already in use" not in output:
                break
            port = free_port()
        raise OperatorError("postgres.start_failed", folder=self.files, output=output)

    def _complete(self, memory: Memory) -> Memory:
        if not self.ask(f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'"):
            self.ask(f"CREATE ROLE {ROLE} LOGIN CREATEDB IN ROLE pg_monitor PASSWORD '{memory.password}'")
        if not self.ask(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):
            self.ask(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
        return self._remember(msgspec.structs.replace(memory, complete=True))

    def _write_settings(self, account: Account, listening: Listening) -> None:
        log = self.files / "log"
        account.make_folder(log)
        account.write(self.data / "elruso.conf", settings_text(listening, log, unsafe=self.unsafe))

    def _first_memory(self) -> Memory:
        make_folder(self.folder)
        if (self.folder / "files" / "data").exists():
            raise OperatorError("postgres.no_memory", folder=self.folder)
        place_files(self.folder, choose_account())
        return self._remember(Memory(secrets.token_urlsafe(24)))

    def _recall(self) -> Memory | None:
        try:
            return msgspec.json.decode((self.folder / "server.json").read_bytes(), type=Memory)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise OperatorError("postgres.no_memory", folder=self.folder) from error

    def _remember(self, memory: Memory) -> Memory:
        draft = self.folder / "server.json.draft"
        _write_private(draft, msgspec.json.encode(memory).decode())
        draft.replace(self.folder / "server.json")
        return memory

    def _run(self, program: str, *arguments: str | Path, password: str | None = None) -> tuple[int, str]:
        account = owner_of(self.files)
        environment = {"PGPASSWORD": password} if password else {}
        command = [find_binaries(self.major, account) / program, *arguments]
        outcome = account.run(command, self.files, environment)
        return outcome.returncode, outcome.stdout.strip()

    def _last_words(self, start_log: Path) -> str:
        """The end of what the server wrote before it gave up: to its first log, or to the collector's newest file."""
        logs = [start_log, *sorted((self.files / "log").glob("*.log"), key=lambda file: file.stat().st_mtime)[-1:]]
        return "\n".join(file.read_text(errors="replace")[-1000:] for file in logs if file.exists()).strip()


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
