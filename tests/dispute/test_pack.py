from pathlib import Path
from tests.dispute.conftest import Files, report_on


def test_a_pack_as_exported_holds(files: Files, tmp_path: Path) -> None:
    report = report_on(files, tmp_path)
    print("\n".join(report.lines()))
    (Path("/tmp/pack/")).mkdir(exist_ok=True)
    for n, b in files.items():
        p = Path("/tmp/pack") / n
        p.parent.mkdir(exist_ok=True, parents=True)
        p.write_bytes(b)
    assert report.problems == []
