"""The settings of an evaluation: what is refused, and what is shown."""

import pytest

from common.errors import UserError
from common.evaluate import Evaluation


def test_a_feature_network_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "network.pb").touch()
    for features in ("", str(tmp_path / "network.pb"), str(tmp_path)):
        assert Evaluation(features=features).refuse_missing() is None
    with pytest.raises(UserError) as error:
        Evaluation(features="none.pb").refuse_missing()
    assert str(error.value) == "--features none.pb does not exist: it must be a frozen graph or a SavedModel."


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"merge": -1}, "--merge -1 is too small"),
        ({"merge": 2, "shard": "1/2"}, "--shard evaluates a part, and --merge merges all parts: use one of them"),
        ({"metrics": "psnr, kid"}, "--metrics kid needs a feature network: use --features"),
        ({"metrics": "psnr,"}, "--metrics  is not a valid metric"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(fields, message):
    with pytest.raises(UserError, match=message):
        Evaluation(**fields)
    assert Evaluation(merge=2, shard="1/1").merge == 2


MEANS = {
    "A2B": {"images": 3, "psnr": 20.0, "input_psnr": 10.0, "prior_psnr": 15.0, "ssim": None},
    "B2A": {"psnr": 30.0, "swd": 1.0},
}


def test_all_metrics_are_shown_or_those_asked_for_each_with_those_of_input_and_prior_beside_it():
    assert Evaluation().shown(MEANS) == MEANS
    shown = Evaluation(metrics="swd, psnr").shown(MEANS)
    assert [list(each) for each in shown.values()] == [["psnr", "input_psnr", "prior_psnr"], ["swd", "psnr"]]
    assert shown["B2A"] == {"swd": 1.0, "psnr": 30.0}
    with pytest.raises(UserError, match=r"--metrics ssim is not measured .*: must be one of images, psnr, swd\.$"):
        Evaluation(metrics="psnr,ssim").shown(MEANS)
