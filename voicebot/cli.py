"""The commands. Results go to stdout, everything else to stderr; 0 done, 1 failed with a sentence, 2 wrong usage."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from voicebot import settings as settings_file
from voicebot.audio.sound import TELEPHONE_RATE_HZ
from voicebot.audio.wav import read_wav, write_wav
from voicebot.billing.demonstration import create_demonstration, refresh_demonstration
from voicebot.billing.disclosure import Disclosures
from voicebot.billing.inquiry import Inquiries, Visit
from voicebot.billing.opening import open_store
from voicebot.billing.store import History
from voicebot.dialog.catalogue import Phrase
from voicebot.errors import VoicebotError
from voicebot.operations import logs
from voicebot.settings import Settings
from voicebot.voice.cache import CachedSynthesizer
from voicebot.voice.voices import fetch, known_voices

T = TypeVar("T")
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
voices_app = typer.Typer(no_args_is_help=True, help="Voices: what there is, fetching, rendering ahead.")
app.add_typer(voices_app, name="voices")
store_app = typer.Typer(no_args_is_help=True, help="The billing store: its tables, whether it adds up.")
app.add_typer(store_app, name="store")
err = Console(stderr=True)

_SAMPLE = 20
"""Phrases by which the time and the size of the others are estimated."""

Config = Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")]
StoreOption = Annotated[str | None, typer.Option("--store", help="Billing store: a database URL or an SQLite file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
VoiceOption = Annotated[str | None, typer.Option("--voice", help="A voice as 'voicebot voices list' names it.")]


class NoSuchCustomer(VoicebotError):
    """A number that nobody has."""


class RejectedLines(VoicebotError):
    """An import that could not take every line."""


@app.command()
def serve(
    demonstration: Annotated[
        bool, typer.Option("--demonstration", help="First make demonstration bills where they are missing or stale.")
    ] = False,
    config: Config = None,
) -> None:
    """Answer calls until told to stop."""
    from voicebot.web.server import run

    chosen = settings_file.load(config)
    logs.configure(level=chosen.logs.level, as_json=chosen.logs.json_lines)
    if demonstration:
        refresh_demonstration(chosen.store.url, date.today())
    uvloop.run(run(chosen))


@app.command()
def call(
    recordings: Annotated[list[Path] | None, typer.Argument(metavar="[WAV]...", help="What the caller says.")] = None,
    keys: Annotated[str, typer.Option(help="Keys, typed ahead; a comma waits for the next question.")] = "",
    store: StoreOption = None,
    reply: Annotated[Path | None, typer.Option(help="Write what the caller hears to this WAV file.")] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="Take as long as a real call.")] = False,
    hang_up_after: Annotated[int | None, typer.Option(metavar="MS", min=0, help="When the caller hangs up.")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the customer's number in clear.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Hold a whole call from recordings: each WAV is one thing that the caller says once the bot has asked."""
    from voicebot.call import Call, CallRecord
    from voicebot.legs.wav import WavLeg
    from voicebot.switchboard import open_services

    if set(keys) - set("0123456789*#,"):
        raise typer.BadParameter("only 0-9, *, # and the comma are keys", param_hint="--keys")
    _check_outputs(reply)
    chosen = _settings(config, store)
    sounds = [read_wav(path) for path in recordings or ()]
    leg = WavLeg(sounds, keys=keys, realtime=realtime, hang_up_after_ms=hang_up_after)

    async def hold() -> CallRecord:
        async with open_services(chosen) as services:
            await services.store.check()
            return await Call(leg, services).run()

    record = asyncio.run(hold()).as_dict(reveal=reveal)
    if reply is not None:
        write_wav(reply, leg.reply)
    if as_json:
        _print_json(record)
        return
    for turn in record["turns"]:
        said = turn.get("caller")
        typer.echo(f"bot:    {turn['bot']}" if said is None else f"caller: {said['digits'] or said['text'] or '—'}")
    typer.echo(f"{record['outcome']}, {record['identifier'] or 'no number'}")


@app.command()
def recognize(
    recordings: Annotated[list[Path], typer.Argument(metavar="WAV...", help="Recordings, each one utterance.")],
    grammar: Annotated[str, typer.Option(help="What may be said: the name of a grammar.")] = "identifier",
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Read recordings: words, digits, confidence and alternatives, one line each."""
    from voicebot.hearing.recognizer import Reading, recognize
    from voicebot.hearing.vosk_recognizer import VoskRecognizer

    recognizer = VoskRecognizer(_settings(config).recognition.model)
    recognizer.stream(grammar)
    failed = False

    def fields(reading: Reading) -> dict[str, Any]:
        return {"text": reading.text, "digits": reading.digits, "confidence": round(reading.confidence, 4)}

    for path in recordings:
        try:
            best, *others = recognize(recognizer, read_wav(path).resampled(TELEPHONE_RATE_HZ), grammar)
        except VoicebotError as error:
            failed = True
            _complain(error)
            continue
        if as_json:
            _print_json({"file": str(path), **fields(best), "alternatives": [fields(other) for other in others]})
        else:
            typer.echo(f"{path}: {best.text or '—'} [{best.digits}] {best.confidence:.2f}")
    if failed:
        raise typer.Exit(1)


@app.command()
def evaluate(
    recordings: Annotated[Path, typer.Argument(metavar="DIR|CSV", help="A folder with index.tsv, or a table.")],
    grammar: Annotated[str, typer.Option(help="The question that rows answer which name none.")] = "identifier",
    model: Annotated[Path | None, typer.Option(help="Another model than that of the settings.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there.")] = None,
    config: Config = None,
) -> None:
    """Measure how well recordings are heard: by voice, line and noise, with 95 % intervals and the worst files."""
    from voicebot.dialog.conversation import Conversation
    from voicebot.evaluation import report
    from voicebot.evaluation.recordings import read_set
    from voicebot.evaluation.scoring import Figures, Thresholds
    from voicebot.evaluation.trials import hear_all, peak_memory_mb
    from voicebot.hearing.vosk_recognizer import VoskRecognizer
    from voicebot.language.srgs import load_grammar

    chosen = _settings(config)
    folder = model or chosen.recognition.model
    _check_outputs(json_file)
    found = read_set(recordings)
    before_mb = peak_memory_mb()
    recognizer = VoskRecognizer(folder)
    names = {recording.grammar or grammar for recording in found}
    recognizer.load(names)
    models_mb = peak_memory_mb() - before_mb
    grammars = {name: load_grammar(folder / "graphs" / name / "grammar.grxml") for name in names}
    policy = Conversation(chosen.schemes)
    with Progress(TextColumn("Hearing"), BarColumn(), MofNCompleteColumn(), console=err, transient=True) as progress:
        trials = list(hear_all(recognizer, progress.track(found), grammars.__getitem__, grammar))
    figures = Figures(
        trials,
        Thresholds(policy.number_confidence, policy.intent_confidence, policy.yes_confidence),
        lambda digits: chosen.schemes.match(digits) is not None,
    )
    memory = report.Memory(peak_memory_mb(), models_mb)
    report.show(figures, memory, Console(width=None if sys.stdout.isatty() else 140))
    if json_file is not None:
        text = json.dumps(report.as_json(figures, memory), ensure_ascii=False, indent=1)
        json_file.write_text(text + "\n", encoding="utf-8")


@app.command("test")
def hold_scenarios(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Files or folders of scenarios, or recordings."),
    ] = None,
    leg: Annotated[list[str] | None, typer.Option(help="wav, sip or webrtc; may be given several times.")] = None,
    line: Annotated[
        list[str] | None, typer.Option(help="A line in place of the scenarios' own, such as gsm; several, too.")
    ] = None,
    only: Annotated[str, typer.Option(metavar="TEXT", help="Only calls in whose name this stands.")] = "",
    jobs: Annotated[int | None, typer.Option(min=1, help="Calls at a time; as many as there are cores.")] = None,
    report: Annotated[Path, typer.Option(metavar="FILE", help="Where the HTML report goes.")] = Path("report.html"),
    no_report: Annotated[bool, typer.Option("--no-report", help="Write none.")] = False,
    sound_mb: Annotated[int, typer.Option(min=0, help="Most that sounds take in the report; 0 leaves them out.")] = 40,
    compare: Annotated[
        Path | None, typer.Option(metavar="JSON", help="An earlier run, against which the report shows a trend.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the run there.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit's XML there.")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show customers' numbers in clear.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of scenario files.")] = False,
    store: StoreOption = None,
    config: Config = None,
) -> None:
    """Hold the calls of scenarios, or of a folder of recordings, and report; status 1 when one failed."""
    from voicebot.scenarios import command
    from voicebot.scenarios.scenario import schema as scenario_schema

    if schema:
        typer.echo(json.dumps(scenario_schema(), ensure_ascii=False, indent=1))
        return
    legs, lines = command.checked_legs(leg or ["wav"]), command.checked_lines(line or [])
    files = {"report": None if no_report else report, "json_file": json_file, "junit": junit}
    _check_outputs(*files.values())
    chosen = _settings(config)
    logs.configure(level="critical")  # scenarios break the bot on purpose, and the report tells what came of it
    run = command.run_scenarios(
        chosen,
        paths or command.own_scenarios(),
        command.Wanted(legs, lines, only, jobs, store, reveal),
        command.Files(**files, compare=compare, sound_bytes=sound_mb * 1_000_000),
        err,
    )
    for text in command.told(run):
        typer.echo(text)
    if run["failed"]:
        raise typer.Exit(1)


@app.command("record")
def record_scenario(
    source: Annotated[Path, typer.Argument(metavar="CALL|DIR|CSV", help="A kept call, or recordings with a table.")],
    output: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the scenario file and its sounds.")],
    spoken_numbers: Annotated[
        str | None, typer.Option(help="What becomes of sounds in which a number is said: keep or replace.")
    ] = None,
    voice: Annotated[str, typer.Option(help="Who speaks in place of them.")] = "kokoro:jf_gongitsune",
    config: Config = None,
) -> None:
    """Turn a call that was kept, or a folder of recordings, into scenarios without customers' numbers."""
    from voicebot.scenarios.recorded import record

    if spoken_numbers not in (None, "keep", "replace"):
        raise typer.BadParameter("it is keep or replace", param_hint="--spoken-numbers")
    typer.echo(record(source, output, _settings(config), spoken_numbers, voice))  # type: ignore[arg-type]


@app.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say; figures are spoken as words.")],
    output: Annotated[Path, typer.Option("--output", help="The WAV file to write.")],
    voice: VoiceOption = None,
    language: Annotated[str, typer.Option(help="bg or en.")] = "bg",
    config: Config = None,
) -> None:
    """Speak a text into a WAV file."""
    from voicebot.language.text import spell_figures
    from voicebot.switchboard import open_synthesizer

    if language not in ("bg", "en"):
        raise typer.BadParameter("it is bg or en", param_hint="--language")
    if not any(sign.isalnum() for sign in text):
        raise typer.BadParameter("there is no word in it", param_hint="TEXT")
    write_wav(output, open_synthesizer(_settings(config), voice).synthesize(spell_figures(text, language), language))


@app.command()
def bill(
    identifier: Annotated[str, typer.Argument(help="A customer's number or ITN.")],
    code: Annotated[str, typer.Option(help="The authorisation code.")] = "",
    store: StoreOption = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show what a customer owes; with the code on the invoices, all of them and the payments since 2004."""
    from voicebot.billing.messages import BalanceMessage, HistoryMessage

    chosen = _settings(config, store)
    wanted = chosen.schemes.parse(identifier)
    found = _inquire(chosen, lambda visit: visit.history(wanted, code.upper()) if code else visit.balance(wanted))
    if found is None:
        raise NoSuchCustomer(
            f"No customer has the number {wanted}{', or it has another code' if code else ''}: check it on the invoice."
        )
    account, history = (found.account, found) if isinstance(found, History) else (found, None)
    if as_json:
        message = BalanceMessage.of(account).model_dump(mode="json")
        if history:
            message |= HistoryMessage.of(history).model_dump(mode="json", exclude={"balance"})
        _print_json(message)
        return
    typer.echo(f"{account.kind} {account.identifier}: {account.owed} owed, as of {account.as_of:%Y-%m-%d %H:%M %Z}")
    for invoice in history.invoices if history else account.unpaid:
        typer.echo(
            f"  invoice {invoice.number}, {invoice.period_start} to {invoice.period_end}, {invoice.energy_kwh} kWh: "
            f"{invoice.outstanding} of {invoice.total}, due {invoice.due}, cut-off {invoice.cut_off or 'none'}"
        )
    for payment in history.payments if history else ():
        typer.echo(f"  payment {payment.number}, {payment.received}: {payment.effect} by {payment.channel}")


@app.command("api-key")
def make_api_key(
    name: Annotated[str, typer.Argument(help="Whose it is.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="balance, history or known; may be given several times.")
    ] = None,
) -> None:
    """Make a key of the JSON API: prints it once, and what to put into the settings."""
    scopes = scope or ["balance"]
    if set(scopes) - {"balance", "history", "known"}:
        raise typer.BadParameter("it is balance, history or known", param_hint="--scope")
    key = secrets.token_urlsafe(32)
    typer.echo(f"# The key, shown only now: {key}")
    typer.echo(f"[[api_keys]]\nname = {json.dumps(name)}\nscopes = {json.dumps(scopes)}")
    typer.echo(f'sha256 = "{hashlib.sha256(key.encode()).hexdigest()}"')


@app.command("import")
def import_bills(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV files, of any kinds in any order.")],
    as_of: Annotated[
        datetime | None, typer.Option(metavar="TIME", help="When the books were as the files show; the newest's time.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="utf-8 or windows-1251; told from each file if left out.")
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where rejected lines go; beside each file if left out.")
    ] = None,
    store: StoreOption = None,
    config: Config = None,
) -> None:
    """Bring a utility's exports into the store, all of the files at once; run it again if it was interrupted."""
    from voicebot.billing.importing import import_files

    if encoding not in (None, "utf-8", "windows-1251"):
        raise typer.BadParameter("it is utf-8 or windows-1251", param_hint="--encoding")
    chosen = _settings(config, store)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        tasks: dict[Path, TaskID] = {}

        def show(path: Path, done: int, total: int) -> None:
            if path not in tasks:
                tasks[path] = progress.add_task(path.name, total=total)
            progress.update(tasks[path], completed=done, description=path.name if done < total else f"{path.name} read")

        when = as_of and as_of.astimezone()
        done = import_files(
            chosen.store.url,
            files,
            chosen.schemes,
            as_of=when,
            encoding=encoding,
            rejects=rejects,
            progress=show,
        )
    for file in done:
        before = " before" if file.already else ""
        typer.echo(f"{file.path}: {file.accepted} {file.kind} imported{before}, {file.rejected} lines rejected")
    rejected = sum(file.rejected for file in done)
    if rejected:
        places = ", ".join(str(file.rejects) for file in done if file.rejects)
        raise RejectedLines(f"{rejected} lines were rejected: mend them by the reasons in {places} and import them.")


@store_app.command("migrate")
def migrate_store(store: StoreOption = None, config: Config = None) -> None:
    """Make the tables of the store, or bring them to this version."""
    from voicebot.billing.migrations import migrate_at

    typer.echo(f"The store is at version {migrate_at(_settings(config, store).store.url)}.")


@store_app.command("check")
def check_store(store: StoreOption = None, config: Config = None) -> None:
    """Add up all invoices and payments; status 1 when something does not add up."""
    from voicebot.billing.audit import audit

    books = audit(_settings(config, store).store.url)
    typer.echo(f"{books.accounts} customers, {books.indebted} of them owe {books.outstanding} in all.")
    for fault in books.faults:
        typer.echo(fault)
    if books.faults:
        raise VoicebotError(f"The store has {len(books.faults)} faults, told above: import what they concern again.")


@app.command()
def demo(
    store: StoreOption = None,
    today: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="The day on which they are true.")] = None,
    config: Config = None,
) -> None:
    """Make demonstration bills, in place of older ones."""
    try:
        day = date.fromisoformat(today) if today else date.today()
    except ValueError:
        raise typer.BadParameter("it is a date such as 2026-11-23", param_hint="--today") from None
    books = create_demonstration(_settings(config, store).store.url, day)
    err.print(f"{books.accounts} customers made, {books.indebted} of them owe {books.outstanding} in all.")


@app.command()
def check(config: Config = None) -> None:
    """Say what is missing and how to get it."""
    from voicebot.dialog.catalogue_file import CatalogueError
    from voicebot.operations.check import checks

    chosen = settings_file.load(config)
    missing = 0
    for name, test in checks(chosen):
        try:
            typer.echo(f"ok       {name}: {test()}")
        except CatalogueError as error:
            missing += len(error.mistakes)
            for mistake in error.mistakes:
                typer.echo(f"mistake  {name}: {mistake}")
        except VoicebotError as error:
            missing += 1
            typer.echo(f"missing  {name}: {error}")
    if missing:
        raise VoicebotError(f"{missing} of the things above must be mended before calls can be answered.")


@app.command()
def prompts(config: Config = None) -> None:
    """Show all that the bot says, beside its English, as a Markdown table."""
    from voicebot.dialog.review import review

    typer.echo(review(_settings(config).dialog.catalogue))


@voices_app.command("list")
def list_voices(as_json: AsJson = False) -> None:
    """Show the voices that are known."""
    for voice in known_voices().values():
        if as_json:
            _print_json(asdict(voice))
        else:
            typer.echo(f"{voice.name}: {voice.note} ({voice.licence})")


@voices_app.command("fetch")
def fetch_voice(
    name: Annotated[str, typer.Argument(help="A voice of the list.")] = "bg_BG-dimitar-medium",
    source: Annotated[str | None, typer.Option(help="Another address of the same files.")] = None,
    config: Config = None,
) -> None:
    """Bring a voice from its public home and check its digest."""
    folder = settings_file.load(config).voice.folder
    with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), console=err) as progress:
        tasks: dict[str, Any] = {}

        def show(file: str, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = progress.add_task(file, total=total)
            progress.update(tasks[file], completed=done)

        path = fetch(name, folder, source=source, progress=show)
    typer.echo(path)


@voices_app.command("warm")
def warm(
    values: Annotated[
        bool, typer.Option("--values", help="Then the usual values too: counts, sums, days, groups of digits.")
    ] = False,
    voice: VoiceOption = None,
    config: Config = None,
) -> None:
    """Render the fixed prompts ahead, so that no caller waits for them; run it again if it was interrupted."""
    from voicebot.switchboard import open_synthesizer

    chosen = _settings(config)
    catalogue, synthesizer = chosen.catalogue, open_synthesizer(chosen, voice)
    try:
        _render_ahead("prompts", catalogue.fixed, synthesizer, chosen)
        if values:
            usual = catalogue.values
            random.Random(len(usual)).shuffle(usual)  # so that the first of them tell how long all will take
            _render_ahead("values", usual, synthesizer, chosen)
    except KeyboardInterrupt:
        raise VoicebotError("Interrupted: the same command goes on from here.") from None


def _render_ahead(what: str, phrases: Sequence[Phrase], synthesizer: CachedSynthesizer, chosen: Settings) -> None:
    """Render what the cache lacks; where that is much, the first `_SAMPLE` phrases tell how long and how large it is.

    Raises:
        VoicebotError: the cache is too small.
    """
    language = chosen.catalogue.language
    missing = [p for p in phrases if not synthesizer.holds(p.text, language, emphasis=p.emphasis)]
    columns = (TextColumn(f"Rendering {what}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    began_s, began_bytes = time.monotonic(), synthesizer.bytes_on_disk
    with Progress(*columns, console=err) as progress:
        task = progress.add_task("", total=len(phrases), completed=len(phrases) - len(missing))
        for done, phrase in enumerate(missing):
            if done == _SAMPLE:
                left = (len(missing) - done) / done
                minutes = (time.monotonic() - began_s) * left / 60
                grown = (synthesizer.bytes_on_disk - began_bytes) * left
                progress.print(f"{len(missing) - done} {what} to go: about {minutes:.0f} min and {grown / 1e6:.0f} MB.")
                if synthesizer.bytes_on_disk + grown > chosen.voice.cache_bytes:
                    raise VoicebotError(
                        f"The {what} would not fit into the phrase cache of {chosen.voice.cache_bytes / 1e6:.0f} MB: "
                        "raise voice.cache_bytes."
                    )
            synthesizer.synthesize(phrase.text, language, emphasis=phrase.emphasis)
            progress.advance(task)


def main() -> None:
    """Run a command and exit with its status."""
    try:
        app()
    except VoicebotError as error:
        _complain(error)
        sys.exit(1)


def _settings(config: Path | None, store: str | None = None) -> Settings:
    """The settings of a command that serves no calls: quiet, and with its own store if it names one."""
    logs.configure(level="error")
    chosen = settings_file.load(config)
    if store is not None:
        chosen = chosen.model_copy(update={"store": chosen.store.model_copy(update={"url": store})})
    return chosen


def _check_outputs(*paths: Path | None) -> None:
    """Before anything takes its time: whether these files can be written."""
    for path in paths:
        if path is not None and not path.absolute().parent.is_dir():
            raise VoicebotError(f"{path} cannot be written: there is no folder {path.parent}.")
        if path is not None and path.is_dir():
            raise VoicebotError(f"{path} cannot be written: it is a folder; name a file in it.")


def _inquire(chosen: Settings, ask: Callable[[Visit], Awaitable[T]]) -> T:
    """Ask the bills as visitors do, but without their limits."""

    async def answer() -> T:
        store = open_store(chosen.store.url, chosen.store.token, chosen.store.attempt_s)
        try:
            inquiries = Inquiries(store, Disclosures(chosen.audit.folder), timeout_s=chosen.store.timeout_s)
            return await ask(inquiries.visit("command"))
        finally:
            await store.close()

    return asyncio.run(answer())


def _print_json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _complain(error: VoicebotError) -> None:
    typer.echo(f"voicebot: {error}", err=True)
