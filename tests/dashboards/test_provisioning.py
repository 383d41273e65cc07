# SPDX-License-Identifier: GPL-2.0-or-later
"""Provisioning files: what Grafana needs in them, and that they agree with what is installed."""

import files
import yaml

PROVISIONING = files.DIRECTORY / "grafana" / "provisioning"


def read(name):
    return yaml.safe_load((PROVISIONING / name).read_text(encoding="utf-8"))


def test_datasource():
    file = read("datasources/synward.yaml")
    assert file["apiVersion"] == 1
    [source] = file["datasources"]
    assert source["type"] == "prometheus" and source["access"] == "proxy" and source["name"] and source["uid"]
    scraped = yaml.safe_load((files.DIRECTORY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert source["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"], "$__rate_interval depends on it"


def test_dashboards_come_from_where_they_are_installed():
    file = read("dashboards/synward.yaml")
    assert file["apiVersion"] == 1
    [provider] = file["providers"]
    assert provider["type"] == "file" and provider["allowUiUpdates"] is False
    installed = (files.DIRECTORY / "CMakeLists.txt").read_text(encoding="utf-8")
    folder = provider["options"]["path"].removeprefix("/usr/share/")
    assert f"install(FILES synward.json DESTINATION ${{CMAKE_INSTALL_DATADIR}}/{folder})" in installed


def test_scrape_configuration_agrees_with_the_daemons_default():
    annotated = yaml.safe_load((files.ROOT / "config" / "synward.yaml").read_text(encoding="utf-8"))
    scraped = yaml.safe_load((files.DIRECTORY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    [job] = scraped["scrape_configs"]
    assert job["job_name"] == "synward"
    assert job["static_configs"][0]["targets"] == [annotated["metrics"]["listen"]]
