"""A live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io

from sentinel.workload.status_line import StatusLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestStatusLine:
    def test_a_terminal_sees_one_line_rewritten(self) -> None:
        stream = Terminal()
        status = StatusLine(stream)
        status.update("one")
        status.update("two")
        status.say("done")
        assert stream.getvalue() == "\r\x1b[Kone\r\x1b[Ktwo\r\x1b[Kdone\n"

    def test_a_file_gets_plain_lines_now_and_then(self) -> None:
        stream = io.StringIO()
        status = StatusLine(stream, plain_seconds=3_600)
        status.update("too early")
        status.say("stays")
        assert stream.getvalue() == "stays\n"
        eager = StatusLine(stream, plain_seconds=0)
        eager.update("now")
        assert stream.getvalue() == "stays\nnow\n"
