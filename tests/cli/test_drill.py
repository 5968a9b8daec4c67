"""pulih drill says of each component what came out; a bad copy is one code, one that nobody could look at another."""

import shutil

from tests.cli.conftest import Office, Pulih
from tests.cli.test_verify import DATA, add_second_store, flip


def test_a_flipped_copy_ends_it_with_16_and_a_store_that_is_away_with_17(pulih: Pulih, broken: Office) -> None:
    """Each verdict is said, also those that are good; the form is made all the same."""
    second = add_second_store(broken)
    flip(broken.set / DATA, 400)
    named = ("--inventory", broken.inventory, "drill")
    bad = pulih(*named, "simpel", "--store", "utama")
    assert 16 == bad.code
    said = {line[:5]: line for line in bad.out.splitlines()}
    assert {"PASS ", "FAIL ", "form "} == said.keys()
    assert said["PASS "].startswith("PASS  simpel/berkas: simpel_berkas_") and said["PASS "].endswith(" from utama")
    assert said["FAIL "].startswith(f"FAIL  simpel/data: {broken.name} from utama: ")
    assert "the stored bytes are not those of the manifest" in said["FAIL "]
    assert said["form "].endswith(".pdf")
    assert "the drill found a bad copy of simpel/data" in bad.err and "`pulih verify` says which copy" in bad.err
    shutil.rmtree(second)
    unknown = pulih(*named, "simpel/berkas", "--store", "kedua")
    assert 17 == unknown.code
    (line,) = [line for line in unknown.out.splitlines() if line.startswith("ERROR")]
    assert line.startswith("ERROR simpel/berkas: simpel_berkas_") and f"from kedua: the directory {second}" in line
    assert "the drill could not look at a copy of simpel/berkas" in unknown.err
    assert "--store takes the copy in another store" in unknown.err
