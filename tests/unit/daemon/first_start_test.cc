// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/first_start.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_directory.h"

namespace synward {
namespace {

using namespace std::chrono_literals;

class FirstStartTest : public ::testing::Test {
 protected:
  const test::TemporaryDirectory directory;
  const std::string path = directory.path() / "run" / "started";
  const Instant now{100h};
};

TEST_F(FirstStartTest, WithoutTheFileItIsThisOne) {
  const FirstStart first = read_first_start(path, now);
  EXPECT_TRUE(first.is_this_one);
  EXPECT_EQ(first.at, now);
}

TEST_F(FirstStartTest, ALaterOneKnowsWhenTheFirstWas) {
  note_first_start(path, read_first_start(path, now));
  const FirstStart later = read_first_start(path, now + 5min);
  EXPECT_FALSE(later.is_this_one);
  EXPECT_EQ(later.at, now);
  note_first_start(path, later);
  EXPECT_EQ(read_first_start(path, now + 6min).at, now);
}

TEST_F(FirstStartTest, AFileThatSaysNothingMeansLongAgo) {
  std::filesystem::create_directories(directory.path() / "run");
  std::ofstream(path) << "";
  const FirstStart first = read_first_start(path, now);
  EXPECT_FALSE(first.is_this_one);
  EXPECT_LT(first.at + 24h, now);
}

}  // namespace
}  // namespace synward
