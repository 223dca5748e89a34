import io

from rich.console import Console

from stillwatch.cli.progress import BarProgress, shown_progress
from stillwatch.model.progress import Silent


def test_quiet_where_no_terminal_is():
    stream = io.StringIO()
    with shown_progress(Console(file=stream)) as progress:
        assert isinstance(progress, Silent)
        progress.start("reading", 3)
        progress.advance()
    assert stream.getvalue() == ""


def test_bars_on_a_terminal():
    stream = io.StringIO()
    with shown_progress(Console(file=stream, force_terminal=True, width=100)) as progress:
        assert isinstance(progress, BarProgress)
        progress.start("reading logs", 3)
        progress.advance(2)
        progress.start("detecting")
        progress.finish()
        progress.finish()
    assert "reading logs" in stream.getvalue()
    assert "detecting" in stream.getvalue()
