// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <barrier>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>
#include <vector>

#include "tests/support/temporary_directory.h"

namespace synward {
namespace {

using ::testing::HasSubstr;

class KeyFile : public ::testing::Test {
 protected:
  void write(const std::string& text, mode_t mode = 0600) {
    std::filesystem::create_directories(path_.parent_path());
    std::ofstream(path_) << text;
    chmod(path_.c_str(), mode);
  }

  const test::TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_.path() / "sub" / "cookie.key";
};

TEST_F(KeyFile, IsMadeAtTheFirstStartAndReadAtTheNext) {
  const auto made = load_or_create_key(path_);
  ASSERT_TRUE(made.has_value()) << made.error();
  struct stat status{};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_EQ(status.st_size, 33);
  EXPECT_EQ(load_or_create_key(path_), made);
}

TEST_F(KeyFile, IsTheSameForAllWhoStartForTheFirstTimeAtOnce) {
  std::filesystem::create_directories(path_.parent_path());
  using Key = decltype(load_or_create_key(path_));
  for (int round = 0; round < 50; ++round) {
    std::filesystem::remove(path_);
    std::array<std::optional<Key>, 4> keys;
    std::barrier start(static_cast<std::ptrdiff_t>(keys.size()));
    {
      std::vector<std::jthread> starts;
      for (auto& key : keys) {
        starts.emplace_back([&] {
          start.arrive_and_wait();
          key = load_or_create_key(path_);
        });
      }
    }
    for (const auto& key : keys) {
      ASSERT_TRUE(key->has_value()) << key->error();
      EXPECT_EQ(*key, load_or_create_key(path_));
    }
    const auto directory = std::filesystem::directory_iterator(path_.parent_path());
    EXPECT_EQ(std::distance(begin(directory), end(directory)), 1) << "a temporary file is left";
  }
}

TEST_F(KeyFile, ThatOthersMayReadIsRefusedWithItsCure) {
  write("000102030405060708090a0b0c0d0e0f\n", 0644);
  EXPECT_THAT(load_or_create_key(path_).error(), HasSubstr("chmod 600"));
}

TEST_F(KeyFile, WithAnythingButThirtyTwoHexDigitsIsRefused) {
  for (const char* text :
       {"", "\n", "00\n", "000102030405060708090a0b0c0d0e0g\n",
        "000102030405060708090a0b0c0d0e0f00\n", "+00102030405060708090a0b0c0d0e0f\n"}) {
    write(text);
    EXPECT_FALSE(load_or_create_key(path_).has_value()) << text;
  }
}

TEST_F(KeyFile, WhoseDirectoryCannotBeMadeIsOneSentence) {
  const auto refused = load_or_create_key("/proc/none/cookie.key");
  EXPECT_THAT(refused.error(), HasSubstr("/proc/none/cookie.key"));
}

TEST_F(KeyFile, AnchorIsKeptForASuccessorAndMovesOnlyWithAStep) {
  std::filesystem::create_directories(path_.parent_path());
  using std::chrono::seconds;
  ClockAnchor first(path_, seconds(1000));
  EXPECT_FALSE(first.stepped(seconds(1002)));
  EXPECT_TRUE(first.stepped(seconds(1010)));
  const ClockAnchor successor(path_, seconds(2000));
  EXPECT_EQ(successor.offset(), seconds(1010));
}

}  // namespace
}  // namespace synward
