// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flow/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <vector>

#include "tests/unit/flow/support.h"

namespace synward::flow {
namespace {

struct Node {
  std::uint32_t timer_next = no_index, timer_prev = no_index;
  std::uint16_t timer_slot = timer_disarmed;
};
using Wheel = TimerWheel<Node>;

std::vector<std::uint32_t> pop_all(Wheel& wheel, Instant now) {
  std::vector<std::uint32_t> popped;
  for (std::uint32_t index; (index = wheel.pop_expired(now)) != no_index;) popped.push_back(index);
  return popped;
}

Instant next_or_never(const Wheel& wheel) {
  return wheel.next_deadline().value_or(Instant::max());
}

struct TimerWheelTest : testing::Test {
  std::vector<Node> nodes = std::vector<Node>(200);
  Wheel wheel{nodes.data(), boot};
};

TEST_F(TimerWheelTest, an_empty_wheel_never_wakes_the_loop) {
  EXPECT_EQ(wheel.next_deadline(), std::nullopt);
  EXPECT_EQ(wheel.pop_expired(boot + 24h), no_index);
}

TEST_F(TimerWheelTest, pops_no_earlier_than_the_deadline_and_at_the_instant_it_announced) {
  const Instant deadline = boot + 1s;
  wheel.arm(3, boot, deadline);
  const Instant due = next_or_never(wheel);
  EXPECT_GE(due, deadline);
  EXPECT_LT(due, deadline + Wheel::tick);
  EXPECT_EQ(wheel.pop_expired(due - 1ns), no_index);
  EXPECT_EQ(wheel.pop_expired(due), 3U);
  EXPECT_EQ(wheel.pop_expired(due), no_index);
}

TEST_F(TimerWheelTest, a_deadline_that_has_passed_is_popped_at_once) {
  EXPECT_EQ(wheel.pop_expired(boot + 10s), no_index);
  wheel.arm(0, boot + 10s, boot + 4s);
  EXPECT_EQ(wheel.pop_expired(boot + 10s), 0U);
}

TEST_F(TimerWheelTest, rearming_replaces_the_deadline_and_cancelling_removes_it) {
  wheel.arm(0, boot, boot + 1s);
  wheel.arm(1, boot, boot + 1s);
  wheel.arm(2, boot, boot + 1s);
  wheel.arm(1, boot, boot + 5s);
  wheel.cancel(2);
  wheel.cancel(2);
  EXPECT_EQ(pop_all(wheel, boot + 2s), std::vector<std::uint32_t>{0});
  EXPECT_EQ(pop_all(wheel, boot + 6s), std::vector<std::uint32_t>{1});
}

TEST_F(TimerWheelTest, a_deadline_beyond_the_horizon_is_popped_at_the_horizon) {
  wheel.arm(0, boot, boot + 2h);
  EXPECT_EQ(wheel.pop_expired(boot + Wheel::horizon - Wheel::tick), no_index);
  EXPECT_EQ(wheel.pop_expired(boot + Wheel::horizon + Wheel::tick), 0U);
}

TEST_F(TimerWheelTest, pops_in_the_order_of_deadlines_that_are_a_tick_apart) {
  std::mt19937_64 random{nodes.size()};
  std::vector<std::uint32_t> expected(nodes.size());
  std::iota(expected.begin(), expected.end(), 0U);
  std::vector<std::uint32_t> shuffled = expected;
  std::ranges::shuffle(shuffled, random);
  for (const std::uint32_t index : shuffled) wheel.arm(index, boot, boot + index * Wheel::tick);
  EXPECT_EQ(pop_all(wheel, boot + 1min), expected);
}

TEST_F(TimerWheelTest, after_a_suspend_all_that_is_overdue_comes_and_nothing_else) {
  wheel.arm(0, boot, boot + 1s);
  wheel.arm(1, boot, boot + 100s);
  const Instant woken = boot + 9h;
  EXPECT_LE(next_or_never(wheel), woken);
  EXPECT_EQ(pop_all(wheel, woken), (std::vector<std::uint32_t>{0, 1}));
}

// The loop may serve packets before timers: a new wait must not land among the overdue.
TEST_F(TimerWheelTest, arming_after_a_suspend_before_popping_keeps_the_new_deadline) {
  wheel.arm(0, boot, boot + 1s);
  wheel.arm(1, boot, boot + 100s);
  const Instant woken = boot + 9h;
  wheel.arm(2, woken, woken + 1s);
  EXPECT_LE(next_or_never(wheel), woken);
  wheel.cancel(1);
  EXPECT_EQ(pop_all(wheel, woken), std::vector<std::uint32_t>{0});
  EXPECT_EQ(wheel.pop_expired(woken + 999ms), no_index);
  EXPECT_EQ(wheel.pop_expired(woken + 1s + Wheel::tick), 2U);
}

// Against a sorted map: what is popped has passed its deadline, what has passed it by a tick has
// been popped, next_deadline is exact, and no node is lost or doubled.
class TimerWheelModel : public testing::TestWithParam<unsigned> {
 protected:
  using Model = std::multimap<Instant, std::uint32_t>;

  void arm(std::uint32_t index) {
    forget(index);
    const Instant deadline =
        now +
        Duration(random() % static_cast<std::uint64_t>(Duration(random() % 8 ? 3s : 130s).count()));
    wheel.arm(index, now, deadline);
    model.emplace(deadline, index);
  }
  void forget(std::uint32_t index) {
    std::erase_if(model, [&](const auto& timer) { return timer.second == index; });
  }
  void pop() {
    for (std::uint32_t index; (index = wheel.pop_expired(now)) != no_index;) {
      const auto at = std::ranges::find(model, index, &Model::value_type::second);
      ASSERT_NE(at, model.end()) << "not armed: " << index;
      EXPECT_LE(at->first, now);
      model.erase(at);
    }
    if (!model.empty()) {
      EXPECT_GT(model.begin()->first + Wheel::tick, now);
    }
  }
  void advance() {
    const std::array<Duration, 6> reach{1us, 8ms, 100ms, 2s, 60s, 200s};
    now += Duration(random() % static_cast<std::uint64_t>(reach.at(random() % 6).count()));
  }
  void check_next_deadline() {
    const auto next = wheel.next_deadline();
    ASSERT_EQ(next.has_value(), !model.empty());
    if (!next) return;
    EXPECT_LT(*next, std::max(model.begin()->first, now) + Wheel::tick);
    if (model.begin()->first > now) {
      EXPECT_GE(*next, model.begin()->first);
    }
  }

  std::mt19937_64 random{GetParam()};
  std::vector<Node> nodes = std::vector<Node>(200);
  Wheel wheel{nodes.data(), boot};
  Model model;
  Instant now = boot;
};

TEST_P(TimerWheelModel, agrees_with_a_sorted_map) {
  for (int step = 0; step < 20'000 && !HasFailure(); ++step) {
    const auto index = static_cast<std::uint32_t>(random() % nodes.size());
    switch (random() % 8) {
      case 0:
        wheel.cancel(index);
        forget(index);
        break;
      case 1:
        advance();
        break;
      case 2:
        pop();
        break;
      default:
        arm(index);
    }
    check_next_deadline();
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, TimerWheelModel, testing::Range(1U, 6U));

}  // namespace
}  // namespace synward::flow
