// SPDX-License-Identifier: GPL-2.0-or-later
//
// T3: what an attacker gets himself does not tell what others were sent (CVE-2016-5696). He sends
// segments with the victim's address and port, and counts the answers to his own in that second.
#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

const Endpoint victim = endpoint("203.0.113.99:50000");

class Attack : public Harness {
 public:
  Attack() { settings.connections = 1024; }
  void connect_from(const Endpoint& who) {
    client = who;
    connect();
  }
  // How many of so many of his own segments, each from a port of its own, are answered.
  std::size_t answers(SegmentToSend segment, std::uint16_t ports) {
    std::size_t count = 0;
    for (std::uint16_t i = 0; i < ports; ++i) {
      segment.source = {attacker_, static_cast<std::uint16_t>(first_port + i)};
      arrive(segment, {true, false});
      count += left.size();
    }
    return count;
  }
  void spoof(SegmentToSend segment, int count) {
    segment.source = victim;
    for (int i = 0; i < count; ++i) arrive(segment, {true, false});
  }
  void connect_attacker(std::uint16_t ports) {
    for (std::uint16_t i = 0; i < ports; ++i) {
      connect_from({attacker_, static_cast<std::uint16_t>(first_port + i)});
    }
  }

 private:
  static constexpr std::uint16_t first_port = 10'000;
  const wire::Address attacker_ = endpoint("203.0.113.7:1").address;
};

std::size_t challenge_acks_of_attacker(bool victim_is_connected) {
  constexpr std::uint16_t own = 200;
  Attack attack;
  attack.connect_attacker(own);
  if (victim_is_connected) attack.connect_from(victim);
  attack.spoof(attack.syn(5000), 2000);
  return attack.answers(attack.syn(5000), own);
}

TEST(SideChannel, ChallengeAcksDoNotTellWhoIsConnected) {
  EXPECT_EQ(challenge_acks_of_attacker(true), 200U);
  EXPECT_EQ(challenge_acks_of_attacker(false), 200U);
}

std::size_t resets_of_attacker(bool victim_is_connected) {
  Attack attack;
  attack.settings.reset_unknown_segments = true;
  if (victim_is_connected) attack.connect_from(victim);
  attack.spoof(attack.from_client_segment(7000, 8000), 2000);
  return attack.answers(attack.from_client_segment(7000, 8000), 3000);
}

TEST(SideChannel, ResetsTellOneInABoundThatNobodyKnows) {
  const std::size_t connected = resets_of_attacker(true), unknown = resets_of_attacker(false);
  EXPECT_GE(connected, 500U);
  EXPECT_LE(connected - unknown, 1U);
}

TEST(SideChannel, AConnectionGetsAChallengeAckEveryHalfSecond) {
  Attack attack;
  attack.connect();
  std::size_t sent = 0;
  for (int i = 0; i < 100; ++i, attack.pass(milliseconds(20))) {  // two seconds
    EXPECT_EQ(attack.from_client(attack.syn(5000)), Verdict::consume);
    sent += attack.left.size();
  }
  EXPECT_EQ(sent, 4U);
}

}  // namespace
}  // namespace synward::engine
