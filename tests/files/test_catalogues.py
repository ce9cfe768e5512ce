"""Implant catalogues on disk."""

from pathlib import Path

import pytest

from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.paths import catalogue_roots, resource_folder
from surgiplan_desktop.files.catalogues import load_catalogues, read_catalogue
from surgiplan_desktop.planning.catalogue import PlateFamily, TrayFamily


def test_the_generic_catalogue_has_its_tray_sizes_and_a_plate() -> None:
    catalogue = load_catalogues(catalogue_roots())["generic"]
    assert catalogue.licence == "Apache-2.0"
    tray, plate = catalogue.component("tibial-tray"), catalogue.component("medial-tibial-plate")
    assert isinstance(tray, TrayFamily)
    assert [size.ml_mm for size in tray.sizes] == [58, 62, 66, 70, 74, 78, 82, 86]
    assert isinstance(plate, PlateFamily)
    assert len(plate.screws) >= 6
    with pytest.raises(UsageError, match="component_unknown"):
        catalogue.component("hip-stem")


def test_the_first_root_wins_and_broken_files_are_named(tmp_path: Path) -> None:
    text = (resource_folder() / "implants" / "generic" / "catalogue.toml").read_text()
    folder = tmp_path / "implants" / "mine"
    folder.mkdir(parents=True)
    path = folder / "catalogue.toml"
    path.write_text(text.replace('version = "3"', 'version = "3-mine"'))
    assert load_catalogues((tmp_path, resource_folder()))["generic"].version == "3-mine"
    for broken in ("name = ", text.replace("schema = 1", "schema = 9"), text.replace("thickness_mm = 4", 'thickness_mm = "x"')):
        path.write_text(broken)
        with pytest.raises(InputDataError, match="catalogue_") as caught:
            read_catalogue(path)
        assert caught.value.file == str(path)
