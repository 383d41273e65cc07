// SPDX-License-Identifier: GPL-2.0-or-later
//
// config/synward.yaml is what operators start from: it shows every key, and each with its default.
#include <fstream>
#include <random>
#include <sstream>

#include "config/dump.h"
#include "tests/unit/config/support.h"

namespace synward::config::test {
namespace {

const std::string sample_path = std::string(SYNWARD_SOURCE_DIR) + "/config/synward.yaml";

std::string sample_text() {
  std::ostringstream text;
  text << std::ifstream(sample_path).rdbuf();
  return text.str();
}

TEST(ConfigSample, ShowsTheDefaults) {
  Loaded loaded = load_file(sample_path);
  EXPECT_EQ(listed(loaded), "");
  EXPECT_FALSE(loaded.settings.services.empty());
  loaded.settings.interfaces = {};
  loaded.settings.services.clear();
  EXPECT_EQ(loaded.settings, Settings());
}

// The keys of a dump are the keys of the schema.
TEST(ConfigSample, ShowsEveryKey) {
  const std::string sample = sample_text();
  const std::string text = dump(load_file(sample_path).settings);
  for (std::size_t colon = text.find(": "); colon != text.npos;
       colon = text.find(": ", colon + 1)) {
    const std::size_t start = text.find_last_of(" {\n", colon - 1) + 1;
    const std::string key = text.substr(start, colon - start + 1);
    EXPECT_NE(sample.find(key), std::string::npos) << key;
  }
}

// Not a fuzzer, but enough to notice an access out of bounds under the sanitizers: whatever the
// bytes are, loading ends, and what loads can be dumped and loaded again.
TEST(ConfigSample, SurvivesMutation) {
  const std::string sample = sample_text();
  std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same file every time
  constexpr std::string_view tokens = "\"'[]{}:,-&*!|>%@#?~ \n\t\x04\xff\xe2<0a";
  int loaded_again = 0;
  for (int round = 0; round < 300; ++round) {
    std::string text = sample;
    for (auto edits = random() % 8 + 1; edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      const char token = tokens[random() % tokens.size()];
      switch (random() % 4) {
        case 0:
          text[at] = token;
          break;
        case 1:
          text.insert(at, 1, token);
          break;
        case 2:
          text.erase(at, random() % 40);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 60));
      }
    }
    const Loaded loaded = load_text(text);
    if (!loaded.problems.empty()) continue;
    ++loaded_again;
    EXPECT_EQ(loaded_settings(dump(loaded.settings)), loaded.settings);
  }
  EXPECT_GT(loaded_again, 50);
}

}  // namespace
}  // namespace synward::config::test
