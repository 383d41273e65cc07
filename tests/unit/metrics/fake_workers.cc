// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/metrics/fake_workers.h"

#include <prometheus/text_serializer.h>

#include <cstdlib>
#include <sstream>

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

}  // namespace synward::metrics::test
