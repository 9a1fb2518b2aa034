import io
import json

from rich.console import Console

from tests.fakes.recognizer import command, number
from voicebot.evaluation.report import Memory, as_json, comparison, show
from voicebot.evaluation.scoring import Figures, Said, Trial
from voicebot.hearing.recognizer import Reading

FIGURES = Figures(
    [
        Trial("a.wav", Said("1234567"), (number("1234567"),), voice="Ivan", snr="20", sound_s=3.0, cpu_s=0.06),
        Trial("b.wav", Said("1234567"), (number("1234566", 0.7),), voice="Eva", snr="10", sound_s=3.0, cpu_s=0.06),
        Trial("c.wav", Said(intent="no", words=("не",)), (command("yes"),), voice="Eva", snr="10"),
        Trial("d.wav", Said(), (Reading("", 0.0),), voice="Eva", snr="10"),
    ]
)


def printed(figures: Figures) -> str:
    file = io.StringIO()
    show(figures, Memory(120.0, 14.0), Console(file=file, width=140))
    return file.getvalue()


def test_the_report_tells_counts_intervals_the_worst_file_speed_and_memory() -> None:
    text = printed(FIGURES)
    assert "4 utterances, 2 voices" in text
    assert "1/2 = 50.0 % (9.5-90.5)" in text
    assert "no taken for yes" in text and "1/1 = 100.0 %" in text
    assert text.index("c.wav") < text.index("b.wav") and "a.wav" not in text
    assert "Real-time factor 0.0200 on one core; memory 120 MB at most, 14 MB" in text


def test_figures_are_parted_where_there_is_more_than_one_part() -> None:
    text = printed(FIGURES)
    assert "Ivan" in text and "SNR" in text and "│ kind" not in text


def test_a_set_without_numbers_has_no_figures_of_numbers() -> None:
    text = printed(Figures([FIGURES.trials[2]]))
    assert "numbers right" not in text and "left out" not in text and "answers right" in text


def test_the_same_can_be_had_as_json() -> None:
    values = json.loads(json.dumps(as_json(FIGURES, Memory(120.0, 14.0))))
    assert values["strings"] == {"hits": 1, "count": 2, "rate": 0.5, "interval": [0.09453, 0.90547]}
    assert values["digits"]["substitutions"] == 1 and values["digits"]["count"] == 14
    assert values["by_voice"]["Ivan"]["strings"]["hits"] == 1 and values["by_kind"] == {}
    assert {"said": "7", "heard": "6", "count": 1} in values["confusion"]
    assert [row["file"] for row in values["worst"]] == ["c.wav", "b.wav"]
    assert values["peak_memory_mb"] == 120 and values["real_time_factor"] == 0.02


def test_groups_are_compared_line_by_line() -> None:
    table = comparison("line", {"clean": FIGURES, "": Figures([FIGURES.trials[3]])})
    assert [str(cell) for cell in table.columns[0].cells] == ["clean", "—"]
