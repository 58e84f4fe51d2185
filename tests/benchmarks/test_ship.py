"""A run becomes a pretrained network with a model card, which says what the run knows and what is to be written."""

from benchmarks import ship
from common.weights import npz
from enhancement import Enhancement
from tests import small


def test_weights_and_a_card(tmp_path, capsys):
    run = small.untrained(tmp_path / "run", Enhancement(image_size=32, ngf=4, ema_decay=0.0))
    table = tmp_path / "list.csv"
    table.write_text('file,author\none.jpg,"A, B|C"\n')
    ship.ship(run, "rain", photographs=str(table), output=str(tmp_path / "out"))
    assert "bytes, of at most 2,000,000" in capsys.readouterr().out
    assert npz.is_weights(tmp_path / "out" / "rain.npz")
    card = (tmp_path / "out" / "rain.md").read_text()
    assert "# rain: a pretrained network of Enhancement" in card
    assert "python -m enhancement.main --phase translate --pretrained rain" in card
    assert "--ngf 4 --image_size 32" in card or "--image_size 32 --ngf 4" in card
    assert ", 7 steps |" in card
    assert "| one.jpg | A, B/C |" in card
    (tmp_path / "out" / "rain.md").write_text("mine")
    ship.ship(run, "rain", output=str(tmp_path / "out"))
    assert (tmp_path / "out" / "rain.md").read_text() == "mine"


def test_the_published_size_is_small_enough(tmp_path, capsys):
    run = small.untrained(tmp_path / "run", Enhancement(ema_decay=0.0))
    ship.ship(run, "rain", output=str(tmp_path / "out"))
    assert 2 * 170_000 < (tmp_path / "out" / "rain.npz").stat().st_size < 500_000
