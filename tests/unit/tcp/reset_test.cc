// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/tcp/dialogue.h"

namespace synward::tcp {
namespace {

class Reset : public Dialogue {
 protected:
  Seen reset_at(Side from, SeqNumber seq) {
    Seen seen = reset(from);
    seen.seq = seq;
    return seen;
  }
};

TEST_F(Reset, AtTheExpectedNumberClosesBothSides) {
  EXPECT_EQ(client(reset(Side::client)), Outcome::reset);
  expect_states(State::closed, State::closed);
  EXPECT_TRUE(finished(connection));
}

TEST_F(Reset, OfTheBackendClosesBothSides) {
  EXPECT_EQ(backend(reset(Side::backend)), Outcome::reset);
  expect_states(State::closed, State::closed);
}

TEST_F(Reset, NeedsNoAcknowledgementAndIgnoresWhatStandsThere) {
  EXPECT_EQ(client(acknowledging(reset(Side::client), backend_first + 12345)), Outcome::reset);
}

TEST_F(Reset, BehindWhatIsUnderWayClosesBothSides) {
  client(data(Side::client, 1000));
  EXPECT_EQ(client(reset_at(Side::client, client_first + 1000)), Outcome::reset);
  expect_states(State::closed, State::closed);
}

// If that was lost, the receiver's RCV.NXT is somewhere in it; if it was not, the RST is forged.
TEST_F(Reset, InWhatIsUnderWayMayBeOne) {
  for (const std::uint32_t at : {0U, 1U, 500U, 999U}) {
    connection = {test_endpoint(client_first), test_endpoint(backend_first)};
    client(data(Side::client, 1000));
    EXPECT_EQ(client(reset_at(Side::client, client_first + at)), Outcome::possible_reset) << at;
    expect_states(State::established, State::established);
  }
}

// RFC 5961 3.2: the receiver answers with a challenge ACK, and the sender with an exact RST.
TEST_F(Reset, ElsewhereInTheWindowPassesAndEndsNothing) {
  client(data(Side::client, 1000));
  for (const std::uint32_t at : {1001U, 1500U, test_window - 1}) {
    EXPECT_EQ(client(reset_at(Side::client, client_first + at)), Outcome::suspicious_reset) << at;
  }
  EXPECT_EQ(client(reset_at(Side::client, client_first - 1)), Outcome::suspicious_reset);
  expect_states(State::established, State::established);
  EXPECT_EQ(connection.client.snd_nxt, client_first + 1000);
}

TEST_F(Reset, OutsideTheWindowIsDropped) {
  for (const std::uint32_t away : {200'000U, 0x40000000U, 0x80000000U, 0xc0000000U}) {
    EXPECT_EQ(client(reset_at(Side::client, client_first + away)), Outcome::out_of_window) << away;
  }
  expect_states(State::established, State::established);
}

TEST_F(Reset, InHalfCloseEndsTheConnection) {
  client(fin(Side::client));
  backend_acks();
  EXPECT_EQ(client(reset(Side::client)), Outcome::reset);
  expect_states(State::closed, State::closed);
}

// RFC 1337 3.
TEST_F(Reset, DoesNotCutTimeWaitShort) {
  client(fin(Side::client));
  backend(fin(Side::backend));
  client_acks();
  expect_states(State::time_wait, State::closed);
  EXPECT_EQ(backend(reset(Side::backend)), Outcome::suspicious_reset);
  expect_states(State::time_wait, State::closed);
}

TEST_F(Reset, IsReportedOnce) {
  client(reset(Side::client));
  EXPECT_EQ(client(reset(Side::client)), Outcome::suspicious_reset);
}

// The peer did not get the RST, and asks for another by what it sends.
TEST_F(Reset, LetsTheOtherSidesRetransmissionsPass) {
  client(reset(Side::client));
  EXPECT_EQ(backend(data(Side::backend, 100)), Outcome::in_order);
  expect_states(State::closed, State::closed);
}

}  // namespace
}  // namespace synward::tcp
