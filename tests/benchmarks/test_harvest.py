from pathlib import Path

from harvest import harvest


async def test_trying_numbers_teaches_no_more_than_the_limit_and_the_record_shows_it(tmp_path: Path) -> None:
    learnt = await harvest(tmp_path, 400, addresses=2)
    most = 2 * int(str(learnt["per_address"]))
    assert learnt["answers"] == {200: 4, 404: most - 4, 429: 400 - most}
    assert (learnt["recorded"], learnt["recorded_found"], learnt["recorded_visitors"]) == (most, 4, 2)
    assert learnt["numbers_in_the_record"] == 0
    assert float(str(learnt["delayed_s"])) > 400
