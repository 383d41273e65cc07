// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/service/log.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <string>
#include <thread>
#include <vector>

namespace synward::service {
namespace {

using namespace std::chrono_literals;
using testing::internal::CaptureStderr;
using testing::internal::GetCapturedStderr;

constexpr RateLimitedLog::Clock::time_point start{1000h};

TEST(Log, HumanAndJournalPrefixes) {
  EXPECT_EQ(format_log(LogLevel::error, "no room", LogStyle::human), "synward: error: no room\n");
  EXPECT_EQ(format_log(LogLevel::warning, "x", LogStyle::human), "synward: warning: x\n");
  EXPECT_EQ(format_log(LogLevel::error, "x", LogStyle::journal), "<3>x\n");
  EXPECT_EQ(format_log(LogLevel::warning, "x", LogStyle::journal), "<4>x\n");
  EXPECT_EQ(format_log(LogLevel::info, "x", LogStyle::journal), "<6>x\n");
  EXPECT_EQ(format_log(LogLevel::debug, "x", LogStyle::journal), "<7>x\n");
}

TEST(Log, EveryLineOfATextHasThePrefix) {
  EXPECT_EQ(format_log(LogLevel::error, "a\nb\n", LogStyle::journal), "<3>a\n<3>b\n");
}

TEST(Log, JournalStreamIsRecognisedByDeviceAndInode) {
  const int fd = memfd_create("stream", MFD_CLOEXEC);
  struct stat status{};
  ASSERT_EQ(fstat(fd, &status), 0);
  const std::string own = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  const std::string other = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino + 1);
  EXPECT_TRUE(is_journal_stream(own.c_str(), fd));
  EXPECT_FALSE(is_journal_stream(other.c_str(), fd));  // stderr was redirected since
  EXPECT_FALSE(is_journal_stream("nonsense", fd));
  EXPECT_FALSE(is_journal_stream(nullptr, fd));
  EXPECT_FALSE(is_journal_stream(own.c_str(), -1));
  close(fd);
}

}  // namespace
struct TooLarge {};
}  // namespace synward::service

template <>
struct fmt::formatter<synward::service::TooLarge> {
  constexpr auto parse(format_parse_context& context) { return context.begin(); }
  static auto format(const synward::service::TooLarge&, format_context& context) {
    throw std::bad_alloc();
    return context.out();
  }
};

namespace synward::service {
namespace {

// The worker that logs it would end, and with it the process.
TEST(Log, ALineForWhichThereIsNoMemoryIsLostAndThatIsSaid) {
  CaptureStderr();
  EXPECT_NO_THROW(log_error("{}", TooLarge{}));
  EXPECT_EQ(GetCapturedStderr(), "synward: no memory for a line of the log\n");
  RateLimitedLog limited(LogLevel::warning, 1, 1s);
  CaptureStderr();
  EXPECT_NO_THROW(limited.log("{}", TooLarge{}));
  EXPECT_EQ(GetCapturedStderr(), "synward: no memory for a line of the log\n");
}

TEST(Log, DebugIsOffUntilEnabled) {
  CaptureStderr();
  log_info("{} services", 2);
  log_debug("hidden");
  enable_debug_log(true);
  log_debug("shown");
  enable_debug_log(false);
  const std::string text = GetCapturedStderr();
  EXPECT_NE(text.find("2 services\n"), std::string::npos);
  EXPECT_EQ(text.find("hidden"), std::string::npos);
  EXPECT_NE(text.find("shown\n"), std::string::npos);
}

TEST(RateLimitedLog, HoldsBackAndTellsHowMany) {
  RateLimitedLog log(LogLevel::warning, 2, 10s);
  CaptureStderr();
  for (int i = 0; i < 5; ++i) log.log_at_time(start, "lost {}", i);
  log.log_at_time(start + 9999ms, "lost 5");
  log.log_at_time(start + 10s, "lost 6");
  log.log_at_time(start + 11s, "lost 7");
  log.log_at_time(start + 30s, "lost 8");
  log.log_at_time(start + 30s, "lost 9");
  const std::string prefix = format_log(LogLevel::warning, "", LogStyle::human);
  std::string text = GetCapturedStderr();
  for (std::size_t at;
       (at = text.find(prefix.substr(0, prefix.size() - 1))) != std::string::npos;) {
    text.erase(at, prefix.size() - 1);
  }
  EXPECT_EQ(text,
            "lost 0\nlost 1\n"
            "lost 6 (4 similar messages suppressed)\n"
            "lost 8 (1 similar messages suppressed)\n"
            "lost 9\n");
}

TEST(RateLimitedLog, OneKindDoesNotSilenceAnother) {
  RateLimitedLog frequent(LogLevel::warning, 1, 10s);
  RateLimitedLog rare(LogLevel::warning, 1, 10s);
  CaptureStderr();
  for (int i = 0; i < 100; ++i) frequent.log_at_time(start, "frequent");
  rare.log_at_time(start, "rare");
  EXPECT_NE(GetCapturedStderr().find("rare\n"), std::string::npos);
}

TEST(RateLimitedLog, ManyThreadsGetNoMoreThanTheBurst) {
  RateLimitedLog log(LogLevel::info, 3, 1h);
  CaptureStderr();
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log] {
      for (int i = 0; i < 50; ++i) log.log("same");
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = GetCapturedStderr();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << text;
}

}  // namespace
}  // namespace synward::service
