// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/service/signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <thread>

namespace synward::service {
namespace {

using namespace std::chrono_literals;

// Signals blocks for good; the other tests of this executable should still be killable.
class SignalsTest : public testing::Test {
 protected:
  void SetUp() override {
    pthread_sigmask(SIG_SETMASK, nullptr, &mask_before_);
    pipe_before_ = std::signal(SIGPIPE, SIG_DFL);
  }
  void TearDown() override {
    pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
    EXPECT_NE(std::signal(SIGPIPE, pipe_before_), SIG_ERR);
  }

  sigset_t mask_before_{};
  void (*pipe_before_)(int) = SIG_DFL;
};

TEST_F(SignalsTest, DeliversEachOfTheThree) {
  auto signals = Signals::block();
  ASSERT_TRUE(signals) << signals.error();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    pthread_kill(pthread_self(), signal);
    EXPECT_EQ(signals->wait(1s), signal);
  }
  EXPECT_EQ(signals->wait(0ms), std::nullopt);
}

TEST_F(SignalsTest, WaitEndsAfterTheTimeout) {
  auto signals = Signals::block();
  ASSERT_TRUE(signals);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(signals->wait(30ms), std::nullopt);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 29ms);
}

TEST_F(SignalsTest, ThreadsStartedLaterDoNotTakeThem) {
  auto signals = Signals::block();
  ASSERT_TRUE(signals);
  bool blocked = false;
  std::thread([&blocked] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGHUP) == 1;
  }).join();
  EXPECT_TRUE(blocked);
}

TEST_F(SignalsTest, WritingToAClosedPipeIsSurvived) {
  const auto signals = Signals::block();
  ASSERT_TRUE(signals);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  EXPECT_EQ(write(ends[1], "x", 1), -1);
  close(ends[1]);
}

TEST_F(SignalsTest, MovesItsDescriptor) {
  auto signals = Signals::block();
  ASSERT_TRUE(signals);
  const int fd = signals->fd();
  const Signals moved = std::move(*signals);
  EXPECT_EQ(moved.fd(), fd);
  EXPECT_EQ(signals->fd(), -1);
}

}  // namespace
}  // namespace synward::service
