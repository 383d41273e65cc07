// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/catalogue.h"

#include <gtest/gtest.h>

#include <set>

namespace synward::metrics {
namespace {

TEST(Catalogue, NamesAreUniqueAndPrefixed) {
  std::set<std::string_view> names;
  for (const Metric& metric : catalogue()) {
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
    EXPECT_TRUE(metric.name.starts_with("synward_") || metric.name.starts_with("process_"))
        << metric.name;
  }
}

TEST(Catalogue, CountersAndNothingElseEndInTotal) {
  for (const Metric& metric : catalogue()) {
    EXPECT_EQ(metric.name.ends_with("_total"), metric.type == prometheus::MetricType::Counter)
        << metric.name;
  }
}

// `service` would collide with the target labels of service discovery; a newline in a help text
// breaks the whole exposition.
TEST(Catalogue, LabelsAndHelpAreSafe) {
  for (const Metric& metric : catalogue()) {
    EXPECT_FALSE(metric.help.empty()) << metric.name;
    EXPECT_EQ(metric.help.find_first_of("\n\\"), std::string_view::npos) << metric.name;
    for (const Label& label : metric.labels) {
      EXPECT_NE(label.name, "service") << metric.name;
      EXPECT_NE(label.name, "le") << metric.name;
    }
  }
}

}  // namespace
}  // namespace synward::metrics
