"""Tasks as they are declared; what they do is tested under every task runner."""

from runtime import task


def test_tags_may_come_from_an_iterator_and_stay_with_other_options():
    @task(tags=iter(["night", "etl"]))
    def load():
        return 1

    assert load.tags == {"night", "etl"}
    assert load.with_options(retries=3).tags == {"night", "etl"}
