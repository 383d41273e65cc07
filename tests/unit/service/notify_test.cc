// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/service/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "tests/support/temporary_directory.h"

namespace synward::service {
namespace {

using namespace std::chrono_literals;

// A datagram socket in the place of systemd's.
class NotifyTest : public testing::Test {
 protected:
  void SetUp() override {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    ASSERT_LT(path_.size(), sizeof address.sun_path);
    std::ranges::copy(path_, address.sun_path);
    ASSERT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    setenv("NOTIFY_SOCKET", path_.c_str(), 1);
  }
  void TearDown() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
    close(fd_);
  }
  // The next datagram; empty if there is none.
  std::string received() const {
    std::array<char, 256> buffer;
    const ssize_t size = recv(fd_, buffer.data(), buffer.size(), 0);
    return size < 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(size));
  }

  const test::TemporaryDirectory directory_;
  const std::string path_ = directory_.path() / "notify";
  int fd_ = -1;
};

TEST_F(NotifyTest, SendsWhatSystemdExpects) {
  notify_ready();
  EXPECT_EQ(received(), "READY=1");
  notify_status("protect: 2 services");
  EXPECT_EQ(received(), "STATUS=protect: 2 services");
  notify_watchdog();
  EXPECT_EQ(received(), "WATCHDOG=1");
  notify_reloading();
  EXPECT_EQ(received(), "RELOADING=1");
  notify_stopping();
  EXPECT_EQ(received(), "STOPPING=1");
}

TEST_F(NotifyTest, StatusStaysOneAssignment) {
  notify_status("a\nREADY=1");
  EXPECT_EQ(received(), "STATUS=a READY=1");
}

TEST_F(NotifyTest, NothingWithoutTheSocketVariable) {
  unsetenv("NOTIFY_SOCKET");
  notify_ready();
  EXPECT_EQ(received(), "");
}

TEST_F(NotifyTest, WatchdogIntervalIsForThisProcessOnly) {
  EXPECT_EQ(watchdog_interval(), std::nullopt);
  setenv("WATCHDOG_USEC", "10000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  EXPECT_EQ(watchdog_interval(), 10s);
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(watchdog_interval(), std::nullopt);
}

}  // namespace
}  // namespace synward::service
