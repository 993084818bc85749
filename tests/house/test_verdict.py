"""The coverage gates hold what they say."""

from tests.house.verdict import Part, parts


def _file(covered, total, branches=0, taken=0):
    return {"summary": {"covered_lines": covered, "num_statements": total, "covered_branches": taken, "num_branches": branches}}


def test_a_part_is_all_below_its_folder_and_nothing_beside_it():
    files = {"vault/access/door.py": _file(9, 10), "vault/access_log/tree.py": _file(50, 50), "vault/app.py": _file(1, 2)}
    found = {part.name: (part.covered, part.total) for part in parts(files, {"vault/access": 100, "vault/access_log": 100, "": 95})}
    assert found == {"vault/access": (9, 10), "vault/access_log": (50, 50), "": (60, 62)}


def test_an_untaken_branch_counts():
    (part,) = parts({"keys/a.py": _file(10, 10, branches=2, taken=1)}, {"keys": 100})
    assert not part.holds
    assert "FALLS SHORT" in str(part)


def test_all_but_one_of_many_lines_is_not_all():
    assert Part("keys", 99_999, 100_000, 100).reached == 99.99
    assert not Part("keys", 99_999, 100_000, 100).holds
    assert Part("keys", 100_000, 100_000, 100).holds


def test_a_part_that_is_not_built_yet_says_so():
    assert str(Part("vault/access", 0, 0, 100)) == "vault/access: not in this tree"
