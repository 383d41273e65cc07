// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/service/args.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace synward::service {
namespace {

std::expected<Args, EarlyExit> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "synward");
  return parse_args(static_cast<int>(words.size()), words.data());
}

TEST(Args, DefaultsWithoutOptions) {
  const auto args = parse({});
  ASSERT_TRUE(args);
  EXPECT_EQ(args->config_file, "/etc/synward/synward.yaml");
  EXPECT_FALSE(args->check_config);
  EXPECT_FALSE(args->dump_config);
  EXPECT_FALSE(args->verbose);
}

TEST(Args, ShortAndLongForms) {
  for (const auto& words : {std::vector{"-c", "a.yaml", "-t", "-v"},
                            std::vector{"--config", "a.yaml", "--check-config", "-v"},
                            std::vector{"--config=a.yaml", "-tv"}}) {
    const auto args = parse(words);
    ASSERT_TRUE(args);
    EXPECT_EQ(args->config_file, "a.yaml");
    EXPECT_TRUE(args->check_config);
    EXPECT_TRUE(args->verbose);
    EXPECT_FALSE(args->dump_config);
  }
  EXPECT_TRUE(parse({"--dump-config"})->dump_config);
}

TEST(Args, VersionAndHelpSucceed) {
  for (const char* option : {"-V", "--version"}) {
    const auto args = parse({option});
    ASSERT_FALSE(args);
    EXPECT_EQ(args.error().status, 0);
    EXPECT_EQ(args.error().text, "synward " + std::string(version()) + "\n");
  }
  EXPECT_EQ(std::count(version().begin(), version().end(), '.'), 2);
  for (const char* option : {"-h", "--help"}) {
    const auto args = parse({option});
    ASSERT_FALSE(args);
    EXPECT_EQ(args.error().status, 0);
    EXPECT_NE(args.error().text.find("--check-config"), std::string::npos);
  }
}

void expect_usage_error(const std::vector<const char*>& words, const std::string& said) {
  const auto args = parse(words);
  ASSERT_FALSE(args) << said;
  EXPECT_EQ(args.error().status, 64);
  EXPECT_TRUE(args.error().text.starts_with("synward: ")) << args.error().text;
  EXPECT_NE(args.error().text.find(said), std::string::npos) << args.error().text;
}

TEST(Args, WrongUsageIs64) {
  expect_usage_error({"--chek-config"}, "unknown option '--chek-config'");
  expect_usage_error({"-x"}, "unknown option '-x'");
  expect_usage_error({"-tx"}, "unknown option '-x'");
  expect_usage_error({"start"}, "unexpected argument 'start'");
  expect_usage_error({"-c"}, "--config");
  expect_usage_error({"-c", "a", "-c", "b"}, "--config");
  expect_usage_error({"--check-config=false"}, "check-config");
  expect_usage_error({"-V", "--bogus"}, "unknown option '--bogus'");
  expect_usage_error({"--", "x"}, "unexpected argument 'x'");
}

}  // namespace
}  // namespace synward::service
