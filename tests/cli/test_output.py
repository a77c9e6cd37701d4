"""What people read of an answer."""

from turngym.cli.output import MOST_ROWS, figures


def test_nested_answers_are_rows_unless_they_are_many(capsys):
    figures({"rate": 0.5, "tasks": {str(n): {"success_rate": 1.0} for n in range(MOST_ROWS)}}, "few")
    assert capsys.readouterr().out.count("success_rate") == MOST_ROWS
    figures({"rate": 0.5, "tasks": {str(n): {"success_rate": 1.0} for n in range(MOST_ROWS + 1)}}, "many")
    said = capsys.readouterr().out
    assert "success_rate" not in said
    assert f"{MOST_ROWS + 1}, each in --json" in said
