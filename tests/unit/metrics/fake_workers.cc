// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/metrics/fake_workers.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/support/temporary_directory.h"

namespace synward::metrics::test {

MetricsSource FakeWorkers::source() const {
  return {.services = {{.name = "web", .backends = {"198.51.100.10:443", "198.51.100.11:443"}},
                       {.name = "mail", .backends = {"203.0.113.25:25"}}},
          .workers = {&first, &second},
          .queues = [this] { return queues; }};
}

std::string FakeWorkers::exposition() const {
  return prometheus::TextSerializer().Serialize(Collector(source()).Collect());
}

std::map<std::string, double> FakeWorkers::samples() const {
  return parse_samples(exposition());
}

std::map<std::string, double> parse_samples(const std::string& exposition) {
  std::map<std::string, double> result;
  std::istringstream lines(exposition);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t value_at = line.rfind(' ');
    result[line.substr(0, value_at)] = std::strtod(line.c_str() + value_at, nullptr);
  }
  return result;
}

std::string promtool_findings(const std::string& exposition) {
  const synward::test::TemporaryDirectory directory;
  const std::string stem = directory.path() / "metrics";
  std::ofstream(stem + ".prom") << exposition;
  const std::string command =
      "promtool check metrics < " + stem + ".prom > " + stem + ".findings 2>&1";
  const int status = std::system(command.c_str());  // NOLINT(cert-env33-c): a fixed command
  std::ostringstream findings;
  findings << std::ifstream(stem + ".findings").rdbuf();
  if (status == 0) return "";
  return "promtool: status " + std::to_string(status) + ": " + findings.str();
}

}  // namespace synward::metrics::test
