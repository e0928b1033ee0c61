"""What an LMS gives and takes: collect, export, give back.

The samples are written by hand, from Canvas's `content_zipper.rb`,
`gradebook_importer.rb` and `infer_comment_context_from_filename`, from Moodle's
`importziplib.php` and `grade/import/csv`, and from nbgrader's documentation.
"""

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from grading import collect, give_back, intake, report
from grading.__main__ import arguments
from grading.people import Refused, enrolled, roster
from tools.notebooks import ROOT

STEM = "03_three_stages"
MANUAL = """\
\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,01_what_attention_is (76),Essay (78)
,,,,,Manual Posting,
    Points Possible,,,,,20,10
"王, 小明",1,S-1,wang,A,,
"欧阳, 娜娜",2,S-2,ouyang,A,,
"Lovelace, Ada",3,S-3,ada,A,,
"""
STEMS = {path.stem: path.stem for path in (ROOT / "solutions").glob("*/*.ipynb")}
CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,03_three_stages (77),Essay (78)
    Points Possible,,,,,17,10
"Lovelace, Ada",101,S-1,ada@x.org,A,,
张伟,102,S-2,wei@x.org,A,,
"Turing, Alan",103,S-3,alan@x.org,B,,
"Student, Test",199,,,A,,
"""
MOODLE = """\
Identifier,Full name,ID number,Email address,Status,Grade,Last modified (grade)
Participant 501,Ada Lovelace,S-1,ada@x.org,Submitted for grading - 2 hours late,,-
Participant 502,张伟,S-2,wei@x.org,Submitted for grading,,-
Participant 503,Alan Turing,S-3,alan@x.org,No submission,,-
"""


def notebook(answer):
    cell = nbformat.v4.new_code_cell(answer, id="softmax")
    return nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).encode()


def pack(path, files, when=(2030, 1, 31, 12, 0, 0)):
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in files.items():
            packed.writestr(zipfile.ZipInfo(name, when), data)
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("canvas.csv").write_text(CANVAS, encoding="utf-8")
    Path("moodle.csv").write_text(MOODLE, encoding="utf-8")
    return tmp_path


def taken(source, people, **options):
    into = Path("submitted")
    return collect.collect(Path(source), roster(people), into, STEMS, **options)


def of(name):
    """Return {file's name: content} of a learner's exercise."""
    return {p.name: p.read_bytes() for p in Path("submitted", name, STEM).iterdir()}


def everything(folder):
    """Return {path: content} of all files below a folder."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


# ------------------------------------------------------------------ collect
def test_canvas_by_name_and_number_late_resubmitted_and_broken(here):
    files = {
        "lovelaceada_LATE_101_9001_03_three_stages-1.ipynb": notebook("old"),
        "lovelaceada_LATE_101_9002_03_three_stages-2.ipynb": notebook("new"),
        "张伟_102_9003_03_three_stages.ipynb": b'{"cells": [',
        "turingalan_103_text.html": b"a text entry",
        "__MACOSX/._turingalan_103_9004_03_three_stages.ipynb": b"",
        "hopper_104_9005_03_three_stages.ipynb": notebook("x"),
    }
    pack("sub.zip", files)
    lines, left = taken("sub.zip", "canvas.csv")
    said = "\n".join(lines)
    assert left
    assert of("Ada Lovelace") == {
        f"{STEM}.ipynb": notebook("new"),
        f"{STEM} (1).ipynb": notebook("old"),
    }
    assert of("张伟") == {f"{STEM}.ipynb": b'{"cells": ['}
    assert "张伟_102_9003_03_three_stages.ipynb: no notebook can be read" in said
    assert "Alan Turing: nothing in this download" in said
    assert "'hopper' (104) is nobody of the roster" in said
    aside = {
        path.name: path.read_bytes() for path in Path("submitted-aside/sub").iterdir()
    }
    assert aside == {name: files[name] for name in [*files][3::2]}
    paths, _ = intake.attempts("submitted/Ada Lovelace", STEMS)
    assert Path(paths[STEM][-1]).read_bytes() == notebook("new")
    assert {*collect.late_marks("submitted").values()} == {"late, says Canvas"}
    assert {name for name, _ in collect.late_marks("submitted")} == {"Ada Lovelace"}
    before = everything("submitted")
    taken("sub.zip", "canvas.csv")  # the same again
    taken(pack("sub.zip", files, (2030, 2, 9, 8, 0, 0)), "canvas.csv")  # and later
    assert everything("submitted") == before


def test_names_without_the_mark_of_utf_8_are_read_as_utf_8_if_they_can_be(
    here, monkeypatch
):
    plain = lambda self: (self.filename.encode(self.code), self.flag_bits)  # noqa: E731
    monkeypatch.setattr(zipfile.ZipInfo, "_encodeFilenameFlags", plain)
    said = {"utf-8": "张伟", "gbk": "╒┼╬░"}  # the second is not UTF-8
    for code, name in said.items():
        monkeypatch.setattr(zipfile.ZipInfo, "code", code, raising=False)
        pack("sub.zip", {f"张伟_102_9003_{STEM}.ipynb": b"{"})
        lines, _ = taken("sub.zip", "canvas.csv")
        assert f"{name}_102_9003_{STEM}.ipynb: no notebook can be read" in lines[0]
        assert collect.ledger("submitted")[-1]["place"].startswith(name)
        assert of("张伟") == {f"{STEM}.ipynb": b"{"}


def test_an_attempt_that_returns_to_the_first_counts(here):
    name = "lovelaceada_101_900{}_03_three_stages-{}.ipynb"
    attempts = {name.format(n, n): notebook(text) for n, text in enumerate("ABA", 1)}
    for day in (1, 1, 2):
        taken(pack("sub.zip", attempts, (2030, 2, day, 8, 0, 0)), "canvas.csv")
        assert of("Ada Lovelace") == {
            f"{STEM}.ipynb": notebook("A"),
            f"{STEM} (1).ipynb": notebook("B"),
        }


def test_a_later_download_wins_an_older_one_and_the_same_change_nothing(here):
    name = "lovelaceada_101_9001_03_three_stages.ipynb"
    days = {text: (2030, 2, day, 8, 0, 0) for day, text in enumerate("ABC", 1)}
    for text, when in days.items():
        pack(f"{text}.zip", {name: notebook(text)}, when)
    said = [taken(f"{text}.zip", "canvas.csv")[0][-1] for text in "BBCCBA"]
    assert said[2] == "submitted: 1 again (Ada Lovelace)"
    assert of("Ada Lovelace") == {
        f"{STEM}.ipynb": notebook("C"),
        f"{STEM} (1).ipynb": notebook("B"),
        f"{STEM} (2).ipynb": notebook("A"),
    }


@pytest.mark.parametrize("ending", ["", "_"])  # since Moodle 4.1, and before
@pytest.mark.parametrize("unpacked", [False, True])
def test_moodle_zipped_and_unpacked_in_folders(here, ending, unpacked):
    files = {
        f"Ada Lovelace_501_assignsubmission_file{ending}/any name.ipynb": notebook("a"),
        f"张伟_502_assignsubmission_file{ending}/{STEM}.ipynb": notebook("b"),
        f"Alan Turing_503_assignsubmission_onlinetext{ending}/onlinetext.html": b"no",
    }
    source = pack("moodle.zip", files)
    if unpacked:
        zipfile.ZipFile(source).extractall("moodle")
        source = "moodle"
    lines, _ = taken(source, "moodle.csv", chosen=STEM)
    assert of("Ada Lovelace") == {f"{STEM}.ipynb": notebook("a")}
    assert of("张伟") == {f"{STEM}.ipynb": notebook("b")}
    assert any("onlinetext.html: no notebook of an exercise" in line for line in lines)
    assert collect.late_marks("submitted").keys() == {
        ("Ada Lovelace", collect.hashlib.sha256(notebook("a")).hexdigest())
    }


def test_moodle_without_folders_finds_by_name_where_numbers_are_unknown(here):
    files = {f"Ada Lovelace_77_assignsubmission_file_{STEM}.ipynb": notebook("a")}
    taken(pack("flat.zip", files), "canvas.csv")
    assert of("Ada Lovelace") == {f"{STEM}.ipynb": notebook("a")}


def test_nbgraders_folders_with_their_times(here):
    Path("people.csv").write_text("id,first_name,last_name\nada,Ada,Lovelace\n")
    folder = Path("course/submitted/ada/ps3")
    folder.mkdir(parents=True)
    (folder / f"{STEM}.ipynb").write_bytes(notebook("a"))
    (folder / "timestamp.txt").write_text("2030-02-01 12:00:00.000000 UTC")
    taken("course", "people.csv")
    path = Path("submitted/Ada Lovelace", STEM, f"{STEM}.ipynb")
    assert path.stat().st_mtime == 1896177600  # that moment
    (folder / "timestamp.txt").write_text("yesterday")
    with pytest.raises(Refused, match=r"timestamp.txt, line 1: not a time"):
        taken("course", "people.csv")


def test_what_lies_outside_is_never_written_and_what_is_too_large_not_read(
    here, monkeypatch
):
    monkeypatch.setattr(intake, "MOST", 1000)
    ours = "lovelaceada_101_9001_03_three_stages.ipynb"
    outside = str(here / "elsewhere/evil.ipynb")
    Path("elsewhere").mkdir()
    files = {ours: notebook("a"), "../../evil.ipynb": b"1", outside: b"2"}
    files["turingalan_103_9002_03_three_stages.ipynb"] = b" " * 1001
    lines, _ = taken(pack("evil.zip", files), "canvas.csv")
    assert any("larger than" in line for line in lines)
    assert not list(here.parent.glob("*.ipynb"))
    assert {p.name for p in Path("submitted").iterdir()} == {
        "Ada Lovelace",
        ".collected.csv",
    }
    assert everything(here).keys() == {
        "canvas.csv",
        "moodle.csv",
        "evil.zip",
        "submitted/.collected.csv",
        f"submitted/Ada Lovelace/{STEM}/{STEM}.ipynb",
        "submitted-aside/evil/.._.._evil.ipynb",
        f"submitted-aside/evil/{outside.replace('/', '_')[-200:]}",
    }


def test_notebooks_of_one_name_in_two_assignments_stay_apart(here, capsys):
    for week in ("week1", "week2"):
        Path("source", week).mkdir(parents=True)
        Path("source", week, "words.ipynb").write_bytes(notebook("source"))
    pack("sub1.zip", {"lovelaceada_101_9001_words.ipynb": notebook("one")})
    pack("sub2.zip", {"lovelaceada_101_9002_words-1.ipynb": notebook("two")})

    def run(source, *words):
        common = "--roster", "canvas.csv", "--source", "source"
        return collect.main(arguments(["collect", source, *common, *words]))

    ambiguous = "words is in week1 and week2: --stem week1/words"
    for words in ([], ["--stem", "words"]):
        with pytest.raises(Refused, match=ambiguous):
            run("sub1.zip", *words)
    assert not Path("submitted").exists()
    run("sub1.zip", "--stem", "week1/words")
    run("sub2.zip", "--stem", "week2/words")
    for week, text in {"week1": "one", "week2": "two"}.items():
        given = Path("nb/103", week, "words.ipynb")  # nbgrader's folders tell which
        given.parent.mkdir(parents=True)
        given.write_bytes(notebook(text))
        for student in ("s1", "s2", "s3"):
            page = Path("grades/feedback", student, week, "words.html")
            page.parent.mkdir(parents=True)
            page.write_text(f"<body>{text}</body>")
    run("nb")
    files = everything("submitted")
    assert files.pop(".collected.csv") and files == {
        f"{who}/{week}/words.ipynb": notebook(text)
        for who in ("Ada Lovelace", "Alan Turing")
        for week, text in {"week1": "one", "week2": "two"}.items()
    }
    names = {"s1": "Ada Lovelace", "s2": "Alan Turing", "s3": "张伟"}
    Path("grades/students.json").write_text(json.dumps(names))
    give_back.give_back(Path("grades"), Path("submitted"), Path("out"))
    (out,) = Path("out").glob("2*")
    for week, text, number in (("week1", "one", 9001), ("week2", "two", 9002)):
        zipped = zipfile.ZipFile(out / f"canvas-{week}-words.zip")
        (name,) = zipped.namelist()
        assert str(number) in name and text in zipped.read(name).decode()
        for folder in (f"feedback/103/{week}", f"张伟/{week}"):
            page = Path(out, folder, "words.html").read_text()
            assert page == f"<body>{text}</body>"
    assert len(everything(out)) == 6


def test_an_id_and_a_name_of_two_people_go_to_neither(here):
    files = {"lovelaceada_103_9001_03_three_stages.ipynb": notebook("a")}
    with pytest.raises(Refused, match="the number is Alan Turing's, the name is not"):
        taken(pack("mixed.zip", files), "canvas.csv")
    assert not Path("submitted").exists()


@pytest.mark.parametrize(
    "text, said",
    [
        ("Who,Mail\nAda,a@x\n", r"line 1: no column with names.*Who, Mail"),
        ("name,id\nAda,1\nAlan,1\n", r"line 3: \('id', '1'\) is also in line 2"),
        ("name\nAda\nAda\n", r"line 3: 'Ada' is also in line 2"),
        ("name,id\nAda,1\n,2\n", r"line 3: there is no name"),
        ("name,id\nAda,1,2\n", r"line 2: 3 columns"),
        ("name,id\n", r"nobody"),
        ("name,id\nAda,1\nJos\xe9,2\n".encode("latin-1"), r"line 3: not UTF-8"),
    ],
)
def test_a_wrong_roster_is_refused_with_its_line(here, text, said):
    data = text if isinstance(text, bytes) else text.encode()
    Path("roster.csv").write_bytes(data)
    with pytest.raises(Refused, match=r"roster.csv.*" + said):
        roster("roster.csv")


def test_rosters_of_all_systems_name_the_same_folders(here):
    own = "First name;Last name;Email\nAda;Lovelace;a@x\n;张伟;w@x\nAlan;Turing;t@x\n"
    Path("own.csv").write_text(own, encoding="utf-8-sig")
    names = {"Ada Lovelace", "张伟", "Alan Turing"}
    for path in ("canvas.csv", "moodle.csv", "own.csv"):
        assert enrolled(path).keys() == names
    Path("plain.txt").write_text("\n".join(names), encoding="utf-8")
    assert enrolled("plain.txt").keys() == names
    twins = "name,id\nAda,1\nAda,2\n"
    Path("twins.csv").write_text(twins)
    assert enrolled("twins.csv").keys() == {"Ada (1)", "Ada (2)"}


def test_names_with_other_spaces_are_found_by_the_name_that_is_shown(here):
    names = "田中\u3000花子", "Lovelace,\u00a0Ada", "مهسا\u200cامینی", " Alan  Turing "
    lines = [f'"{name}",{number}\n' for number, name in enumerate(names, 1)]
    Path("roster.csv").write_text("Student,ID\n" + "".join(lines), encoding="utf-8")
    people = roster("roster.csv")
    shown = ["田中 花子", "Ada Lovelace", "مهساامینی", "Alan Turing"]
    assert [one["folder"] for one in people] == shown
    assert [intake.shown(name) for name in shown] == shown
    assert people[1]["name"] == names[1]  # as the LMS has it
    taken(pack("s.zip", {f"田中花子_1_9001_{STEM}.ipynb": b"{}"}), "roster.csv")
    assert of("田中 花子") == {f"{STEM}.ipynb": b"{}"}


def test_canvas_posts_by_hand_and_chinese_names_stay_as_they_are(here):
    Path("manual.csv").write_text(MANUAL, encoding="utf-8")
    names = ["王小明", "欧阳娜娜", "Ada Lovelace"]
    assert [one["folder"] for one in roster("manual.csv")] == names
    own = "First name,Last name,Email\n小明,王,w@x\n阿依古丽,,a@x\nWei,张,z@x\n"
    Path("own.csv").write_text(own, encoding="utf-8")
    names = ["王小明", "阿依古丽", "Wei 张"]
    assert [one["folder"] for one in roster("own.csv")] == names
    for who in ("王小明", "小明王", "小明 王"):
        files = {f"{who}_77_assignsubmission_file_{STEM}.ipynb": notebook("a")}
        taken(pack("moodle.zip", files), "own.csv")
    assert of("王小明") == {f"{STEM}.ipynb": notebook("a")}


def test_two_of_one_name_are_told_and_equal_files_keep_their_names(here):
    Path("own.csv").write_text("name,id\n张伟,7\n张伟,8\nAda,9\n", encoding="utf-8")
    same = f"张伟_102_1_{STEM}.ipynb", f"hopper_104_2_{STEM}.ipynb"
    files = dict.fromkeys(same, notebook("a")) | {f"ada_9_3_{STEM}.ipynb": b"{}"}
    for _ in range(2):
        lines, _ = taken(pack("sub.zip", files), "own.csv")
        said = "\n".join(lines)
        assert "'张伟' (102): 2 of the roster have this name" in said
        assert "'hopper' (104) is nobody of the roster" in said
        assert {path.name for path in Path("submitted-aside/sub").iterdir()} == {*same}


def test_an_exercise_of_ones_own_asks_for_its_source(here):
    pack("sub.zip", {"lovelaceada_101_9001_rows.ipynb": notebook("a")})
    with pytest.raises(Refused, match="--source where exercises of your own are"):
        taken("sub.zip", "canvas.csv")


@pytest.mark.parametrize("source", ["no.zip", "text.zip", "empty.zip", "other.zip"])
def test_what_is_no_download_is_refused(here, source):
    Path("text.zip").write_text("no zip")
    pack("empty.zip", {})
    pack("other.zip", {"readme.txt": b""})
    with pytest.raises(Refused, match=source):
        taken(source, "canvas.csv")
    assert not Path("submitted").exists()


# ------------------------------------------------------------------ there and back
def grading(*words):
    call = [sys.executable, "-m", "grading", *map(str, words)]
    path = dict(os.environ, PYTHONPATH=str(ROOT))
    return subprocess.run(call, env=path, capture_output=True, text=True)


def handed_in(answered):
    """Return the exercise as handed out, or with its answers."""
    folder = "solutions" if answered else "exercises"
    return (ROOT / folder / STEM / f"{STEM}.ipynb").read_bytes()


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A class that Canvas, Moodle and nbgrader collected, graded."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "canvas.csv").write_text(CANVAS, encoding="utf-8")
    (folder / "moodle.csv").write_text(MOODLE, encoding="utf-8")
    ada = f"lovelaceada_LATE_101_9002_{STEM}-1.ipynb"
    wei = f"张伟_502_assignsubmission_file/{STEM}.ipynb"
    pack(folder / "canvas.zip", {ada: handed_in(True)})
    pack(folder / "moodle.zip", {wei: handed_in(False)})
    (folder / "course/S-3" / STEM).mkdir(parents=True)
    (folder / "course/S-3" / STEM / f"{STEM}.ipynb").write_bytes(handed_in(True))
    into = "--into", folder / "submitted"
    for source, people in (
        ("canvas.zip", "canvas"),
        ("moodle.zip", "moodle"),
        ("course", "canvas"),
    ):
        words = folder / source, "--roster", folder / f"{people}.csv"
        done = grading("collect", *words, *into)
        assert done.returncode == 0, done.stderr
    out = "--out", folder / "grades", "--roster", folder / "canvas.csv"
    done = grading(folder / "submitted", *out, "--only", STEM, "--unsafe")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def table(path):
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_late_is_told_and_people_are_the_rosters(course):
    rows = list(csv.DictReader(open(course / "grades/grades.csv", encoding="utf-8")))
    assert {row["student"] for row in rows} == {"Ada Lovelace", "张伟", "Alan Turing"}
    late = {row["student"] for row in rows if "late, says Canvas" in row["remarks"]}
    assert late == {"Ada Lovelace"}


def test_gradebooks_are_as_canvas_and_moodle_import_them(course):
    words = "--canvas", "--moodle", "--csv", "--roster", course / "canvas.csv"
    done = grading("export", course / "grades", *words)
    assert done.returncode == 0, done.stderr
    files = [course / "grades" / f"{kind}.csv" for kind in ("canvas", "moodle")]
    files.append(course / "grades" / "points.csv")
    before = [path.read_bytes() for path in files]
    again = grading("export", course / "grades", *words[:3])  # the last grading's
    assert again.returncode == 0, again.stderr
    assert [path.read_bytes() for path in files] == before
    assert f"{STEM}: 2 wait for a person" in done.stdout
    made = table(course / "grades/canvas.csv")
    head, most, *rows = made
    assert head[:2] == ["Student", "ID"] and head[4] == "Section"  # what it looks for
    assert head[5:] == [f"{STEM} (77)"]  # as Canvas itself calls it
    assert "Points Possible" in most[0] and float(most[5]) > 10
    points = {row[1]: row[5] for row in rows}
    assert [row[0] for row in rows] == ["Lovelace, Ada", "张伟", "Turing, Alan"]
    assert 0 < float(points["101"]) == float(points["103"]) < float(most[5])
    assert points["102"] == "0"  # handed in as it was handed out
    head, *rows = table(course / "grades/moodle.csv")
    assert head == ["Full name", "ID number", "Username", f"{STEM} (77)"]
    assert [row[1] for row in rows] == ["S-1", "S-2", "S-3"]
    assert rows[0][3] == points["101"]
    head, *rows = table(course / "grades/points.csv")
    assert {row[0]: row[2] for row in rows}["Ada Lovelace"] == points["101"]


def test_pages_go_back_to_where_they_came_from(course):
    given = course / "give_back"
    words = course / "grades", "--submitted", course / "submitted", "--out", given
    done = grading("give-back", *words)
    assert done.returncode == 0, done.stderr
    (out,) = given.glob("2*")
    assert done.stdout.splitlines() == [
        f"{out}/canvas-{STEM}.zip: 1 page",
        f"{out}/moodle-{STEM}.zip: 1 page",
        f"{out}: 1 page in folders",
        "Pages with texts that nobody has graded yet: 03_three_stages (2)",
    ]
    before = everything(given)
    names = zipfile.ZipFile(out / f"canvas-{STEM}.zip").namelist()
    digits = [part for part in names[0].split("_") if part.isdigit()]
    assert len(names) == 1 and digits[:2] == ["101", "9002"]  # user, attachment
    data = zipfile.ZipFile(out / f"canvas-{STEM}.zip").read(names[0])
    page = nbformat.reads(data.decode(), as_version=4)
    nbformat.validate(page)
    text = "\n".join(cell.source for cell in page.cells)
    assert "points" in text and "$T \\to 0$" in text and "<math" not in text
    (name,) = zipfile.ZipFile(out / f"moodle-{STEM}.zip").namelist()
    who, number, kind, plugin, rest = name.split("_", 4)
    assert [who, number, kind, plugin] == ["张伟", "502", "assignsubmission", "file"]
    assert rest == f"/{STEM}.html"
    assert (out / "feedback/S-3" / STEM / f"{STEM}.html").exists()
    done = grading("give-back", *words)  # the same again
    assert done.returncode == 0 and "Not changed" in done.stdout
    assert everything(given) == before
    (out / f"moodle-{STEM}.zip").write_text("mine")
    before = everything(given)
    (page,) = [
        x for x in (course / "grades").rglob("*.html") if "张伟" in x.read_text()
    ]
    page.write_text(page.read_text().replace("</body>", "New.</body>"))
    done = grading("give-back", *words)
    assert done.returncode == 0, done.stderr
    del before[".given.json"]
    new = {k: x for k, x in everything(given).items() if before.get(k) != x}
    assert before.items() <= everything(given).items()  # nothing is overwritten
    assert {Path(name).name for name in new} == {f"moodle-{STEM}.zip", ".given.json"}
    (made,) = given.glob("2* (1)")
    assert done.stdout == f"{made}/moodle-{STEM}.zip: 1 page\n"


def test_a_page_goes_to_the_attempt_that_counts_whenever_it_was_collected(here):
    for number, day in ((9002, 2), (9001, 1)):  # the newer one first
        name = f"lovelaceada_101_{number}_{STEM}.ipynb"
        packed = pack("sub.zip", {name: notebook(str(number))}, (2030, 2, day, 8, 0, 0))
        taken(packed, "canvas.csv")
    assert of("Ada Lovelace")[f"{STEM}.ipynb"] == notebook("9002")
    page = Path("grades/feedback/s1", STEM, f"{STEM}.html")
    page.parent.mkdir(parents=True)
    page.write_text("<body>page</body>")
    Path("grades/students.json").write_text(json.dumps({"s1": "Ada Lovelace"}))
    give_back.give_back(Path("grades"), Path("submitted"), Path("out"))
    (zipped,) = Path("out").glob(f"2*/canvas-{STEM}.zip")
    assert zipfile.ZipFile(zipped).namelist() == [f"lovelaceada_101_9002_{STEM}.ipynb"]


def test_export_refuses_what_an_lms_could_not_import(course, tmp_path):
    bad, own = tmp_path / "names.csv", course / "grades" / "canvas.csv"
    bad.write_text("name\nAda Lovelace\n")
    done = grading("export", course / "grades", "--moodle", "--roster", bad)
    assert done.returncode == 2 and "Ada Lovelace has no ID number" in done.stderr
    results = [*report.recorded(course / "grades" / "results.jsonl").values()]
    names = json.loads((course / "grades" / "students.json").read_text())
    given = results, names
    own.write_text(CANVAS, encoding="utf-8")
    with pytest.raises(Refused, match="is the roster"):
        give_back.export(course / "grades", "canvas", *given, own)
    assert own.read_text(encoding="utf-8") == CANVAS
    own.unlink()
    for kind in ("canvas", "moodle"):  # by what would it tell two 张伟 apart?
        with pytest.raises(Refused, match=f"--{kind} --roster FILE"):
            give_back.export(course / "grades", kind, *given, None)
        assert not (tmp_path / f"{kind}.csv").exists()
    with pytest.raises(Refused, match="--title x=y"):
        give_back.export(tmp_path, "canvas", *given, course / "canvas.csv", ["x=y"])


def test_pages_without_an_lms_go_into_folders_by_name(tmp_path):
    page = tmp_path / "grades/feedback/s1/01/01.html"
    page.parent.mkdir(parents=True)
    page.write_text("page")
    (tmp_path / "grades/students.json").write_text(json.dumps({"s1": "Ada"}))
    out = tmp_path / "out"
    told = give_back.give_back(tmp_path / "grades", tmp_path / "submitted", out)
    (given,) = out.glob("2*/Ada/01.html")
    assert given.read_text() == "page"
    absent = "there is no such folder, which tells what came from an LMS"
    assert told[0] == f"{tmp_path / 'submitted'}: {absent}"
    with pytest.raises(Refused, match="no grades are there"):
        give_back.give_back(tmp_path, tmp_path, out)
