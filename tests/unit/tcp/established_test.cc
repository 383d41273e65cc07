// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/tcp/dialogue.h"

namespace synward::tcp {
namespace {

static_assert(sizeof(Connection) <= 64);  // it lives in a Flow, which has 256 bytes

class Established : public Dialogue {};

TEST_F(Established, DataInOrderPassesAndItsAcknowledgementMovesSndUna) {
  EXPECT_EQ(client(data(Side::client, 1000)), Outcome::in_order);
  EXPECT_EQ(connection.client.snd_una, client_first);
  EXPECT_EQ(connection.client.snd_nxt, client_first + 1000);
  EXPECT_EQ(backend_acks(), Outcome::in_order);
  EXPECT_EQ(connection.client.snd_una, client_first + 1000);
  EXPECT_EQ(connection.client.window_right, client_first + 1000 + test_window);
}

TEST_F(Established, DataAcrossTheWrapPasses) {
  EXPECT_EQ(backend(data(Side::backend, 1000)), Outcome::in_order);
  EXPECT_EQ(client_acks(), Outcome::in_order);
  EXPECT_EQ(connection.backend.snd_una.value(), 0xfffffff1U + 1000U);
  EXPECT_EQ(backend(data(Side::backend, 1000)), Outcome::in_order);
}

TEST_F(Established, DataBehindAGapPassesAndTheHoleIsFilledByWhatCountsAsRetransmitted) {
  Seen second = data(Side::client, 1000);
  const Seen first = second;
  second.seq += 1000;
  EXPECT_EQ(client(second), Outcome::in_order);
  EXPECT_EQ(client(first), Outcome::retransmitted);
  EXPECT_EQ(connection.client.snd_nxt, client_first + 2000);
}

TEST_F(Established, DataSentAgainIsRetransmitted) {
  const Seen segment = data(Side::client, 1000);
  client(segment);
  EXPECT_EQ(client(segment), Outcome::retransmitted);
}

TEST_F(Established, OldDuplicateThatProvokesADsackPasses) {
  const Seen old = data(Side::client, 1000);
  client(old);
  backend_acks();
  for (int i = 0; i < 20; ++i) {
    client(data(Side::client, 3000));
    backend_acks();
  }
  EXPECT_EQ(client(old), Outcome::retransmitted);
}

TEST_F(Established, KeepAliveWithoutOrWithOneByteOfGarbagePasses) {
  for (const std::uint32_t length : {0U, 1U}) {
    Seen keep_alive = data(Side::client, length);
    keep_alive.seq = client_first - 1;
    EXPECT_NE(client(keep_alive), Outcome::out_of_window);
    EXPECT_EQ(connection.client.snd_nxt, client_first);
    EXPECT_EQ(backend_acks(), Outcome::in_order);
  }
}

TEST_F(Established, ZeroWindowProbeBeyondTheEdgePassesAndMayBeAccepted) {
  client(data(Side::client, test_window));
  Seen closed = next(Side::backend);
  closed.window = 0;
  backend(closed);
  EXPECT_EQ(client(data(Side::client, 1)), Outcome::in_order);
  EXPECT_EQ(backend_acks(), Outcome::in_order);
  EXPECT_EQ(connection.client.snd_una, client_first + test_window + 1);
}

TEST_F(Established, DataFarBeyondTheWindowIsDropped) {
  Seen far = data(Side::client, 1000);
  far.seq = connection.client.window_right + 65536;
  EXPECT_EQ(client(far), Outcome::out_of_window);
  EXPECT_EQ(connection.client.snd_nxt, client_first);
}

TEST_F(Established, DataOfLongAgoIsDropped) {
  Seen old = data(Side::client, 1000);
  old.seq = client_first - 200'000;
  EXPECT_EQ(client(old), Outcome::out_of_window);
}

// To the number: a window behind what the receiver has, and as much room.
TEST_F(Established, WhatAnHonestSenderMayStillHoldPasses) {
  constexpr std::uint32_t window = 200'000;
  Seen opening = next(Side::backend);
  opening.window = window;
  backend(opening);
  Seen oldest = next(Side::client);
  oldest.seq = client_first - 2 * window;
  EXPECT_NE(client(oldest), Outcome::out_of_window);
  oldest.seq += std::uint32_t{0} - 1;
  EXPECT_EQ(client(oldest), Outcome::out_of_window);
}

TEST_F(Established, AcknowledgementOfDataNotYetSentIsDropped) {
  EXPECT_EQ(client(acknowledging(next(Side::client), backend_first + 1)), Outcome::out_of_window);
  EXPECT_EQ(connection.backend.snd_una, backend_first);
}

TEST_F(Established, OldAcknowledgementPassesAndTakesNothingBack) {
  const Seen old = next(Side::client);
  backend(data(Side::backend, 10'000));
  client_acks();
  const SeqNumber right = connection.backend.window_right;
  EXPECT_EQ(client(old), Outcome::in_order);
  EXPECT_EQ(connection.backend.snd_una, backend_first + 10'000);
  EXPECT_EQ(connection.backend.window_right, right);
}

TEST_F(Established, AcknowledgementOfLongAgoIsDropped) {
  EXPECT_EQ(client(acknowledging(next(Side::client), backend_first - 200'000)),
            Outcome::out_of_window);
}

// Neither ahead nor behind; found by tests/fuzz/track_connection.
TEST_F(Established, NumbersHalfTheCircleAwayAreDropped) {
  constexpr std::uint32_t half = 0x80000000;
  EXPECT_EQ(client(acknowledging(next(Side::client), backend_first + half)),
            Outcome::out_of_window);
  Seen seen = next(Side::client);
  for (const SeqNumber from : {client_first, connection.client.window_right}) {
    seen.seq = from + half;
    EXPECT_EQ(client(seen), Outcome::out_of_window);
  }
}

TEST_F(Established, SegmentWithoutAckIsDropped) {
  Seen bare = data(Side::client, 10);
  bare.flags = wire::flag_psh;
  EXPECT_EQ(client(bare), Outcome::out_of_window);
}

TEST_F(Established, ShrunkWindowStillPassesWhatWasUnderWay) {
  client(data(Side::client, 1000));
  Seen shrunk = next(Side::backend);
  shrunk.window = 100;
  backend(shrunk);
  EXPECT_EQ(client(data(Side::client, 30'000)), Outcome::in_order);
}

// What was sent into the large window may come again after it has shrunk.
TEST_F(Established, TheLargestWindowIsRemembered) {
  Seen large = next(Side::backend);
  large.window = 500'000;
  backend(large);
  const Seen first = data(Side::client, 65'000);
  for (int i = 0; i < 7; ++i) client(data(Side::client, 65'000));
  Seen shrunk = next(Side::backend);
  shrunk.window = 100;
  backend(shrunk);
  EXPECT_EQ(client(first), Outcome::retransmitted);
}

TEST_F(Established, WindowOfOneGibibyteCanBeFilledAndItsStartSentAgain) {
  constexpr std::uint32_t gibibyte = 65535U << 14;
  Seen opening = next(Side::backend);
  opening.window = gibibyte;
  backend(opening);
  const Seen first = data(Side::client, 65'000);
  client(first);
  Seen last = data(Side::client, 65'000);
  last.seq = connection.client.window_right - 65'000;
  EXPECT_EQ(client(last), Outcome::in_order);
  EXPECT_EQ(client(first), Outcome::retransmitted);
  EXPECT_EQ(backend_acks(), Outcome::in_order);
  EXPECT_EQ(connection.client.snd_una, client_first + gibibyte);
}

// What a blind attacker can push ahead must not make the honest sender's data old.
TEST_F(Established, ForgedDataBeyondTheWindowDoesNotShutOutTheSender) {
  Seen forged = data(Side::client, 1000);
  forged.seq = connection.client.window_right + 60'000;
  EXPECT_EQ(client(forged), Outcome::in_order);
  Seen honest = data(Side::client, 1000);
  honest.seq = client_first;
  EXPECT_NE(client(honest), Outcome::out_of_window);
}

TEST_F(Established, OwnFinGoesToFinWait1AndNotYetToCloseWait) {
  EXPECT_EQ(client(fin(Side::client)), Outcome::in_order);
  expect_states(State::fin_wait_1, State::established);
}

TEST_F(Established, FinBehindAGapIsTheLastWord) {
  Seen early = fin(Side::client);
  early.seq += 500;
  client(early);
  expect_states(State::fin_wait_1, State::established);
  // The acknowledgement of what lies before the gap is not one of the FIN.
  backend(acknowledging(next(Side::backend), client_first));
  expect_states(State::fin_wait_1, State::established);
  backend_acks();
  expect_states(State::fin_wait_2, State::close_wait);
}

TEST_F(Established, FinThatTheReceiverCannotTakeChangesNoState) {
  Seen forged = fin(Side::client);
  forged.seq = connection.client.window_right + 1;
  EXPECT_EQ(client(forged), Outcome::in_order);
  expect_states(State::established, State::established);
}

TEST_F(Established, FinWithDataSentBeyondItChangesNoState) {
  const Seen old = fin(Side::client);
  client(data(Side::client, 1000));
  EXPECT_EQ(client(old), Outcome::in_order);
  expect_states(State::established, State::established);
}

TEST_F(Established, FinIsAllowedAtTheEdgeOfAClosedWindow) {
  client(data(Side::client, test_window));
  client(fin(Side::client));
  expect_states(State::fin_wait_1, State::established);
}

TEST_F(Established, FinOfASegmentThatIsDroppedDoesNotCount) {
  client(acknowledging(fin(Side::client), backend_first + 1));
  expect_states(State::established, State::established);
  EXPECT_FALSE(connection.client.fin_sent);
}

}  // namespace
}  // namespace synward::tcp
