// SPDX-License-Identifier: GPL-2.0-or-later
//
// From the first FIN on, by the state in which the client is (RFC 9293 figure 5).
#include "tests/unit/tcp/dialogue.h"

namespace synward::tcp {
namespace {

// The client has sent its FIN.
class FinWait1 : public Dialogue {
 protected:
  FinWait1() { client(fin(Side::client)); }
};

TEST_F(FinWait1, FinSentAgainChangesNothing) {
  Seen again = fin(Side::client);
  again.seq = connection.client.fin;
  EXPECT_EQ(client(again), Outcome::in_order);
  expect_states(State::fin_wait_1, State::established);
  EXPECT_EQ(connection.client.snd_nxt, client_first + 1);
}

// A second one further on is forged, and must not move the first: its acknowledgement is what ends.
TEST_F(FinWait1, AnotherFinBeyondItChangesNothing) {
  const SeqNumber fin_at = connection.client.fin;
  Seen forged = fin(Side::client);
  forged.seq = fin_at + 1;
  client(forged);
  EXPECT_EQ(connection.client.fin, fin_at);
  backend(acknowledging(next(Side::backend), fin_at + 1));
  expect_states(State::fin_wait_2, State::close_wait);
}

TEST_F(FinWait1, AcknowledgementOfTheFinGoesToFinWait2AndThePeerToCloseWait) {
  backend_acks();
  expect_states(State::fin_wait_2, State::close_wait);
  EXPECT_FALSE(finished(connection));
}

TEST_F(FinWait1, FinThatAcknowledgesTheFinWalksTwoStepsAtOnce) {
  EXPECT_EQ(backend(fin(Side::backend)), Outcome::in_order);
  expect_states(State::fin_wait_2, State::last_ack);
  client_acks();
  expect_states(State::time_wait, State::closed);
  EXPECT_TRUE(finished(connection));
}

TEST_F(FinWait1, DataWithAckAndFinTogetherAreTakenInTheirOrder) {
  Seen all = data(Side::backend, 700);
  all.flags |= wire::flag_fin;
  EXPECT_EQ(backend(all), Outcome::in_order);
  expect_states(State::fin_wait_2, State::last_ack);
  EXPECT_EQ(connection.backend.fin, backend_first + 700);
  // All but the FIN is acknowledged.
  client(acknowledging(next(Side::client), backend_first + 700));
  expect_states(State::fin_wait_2, State::last_ack);
  client_acks();
  expect_states(State::time_wait, State::closed);
}

TEST_F(FinWait1, OldAcknowledgementDoesNotCount) {
  backend(acknowledging(next(Side::backend), client_first));
  expect_states(State::fin_wait_1, State::established);
}

// The client's FIN was acknowledged.
class FinWait2 : public FinWait1 {
 protected:
  FinWait2() { backend_acks(); }
};

TEST_F(FinWait2, HalfCloseGoesOnForAsLongAsThePeerHasData) {
  for (int i = 0; i < 100'000; ++i) {  // 6 GB: the backend's numbers go round
    ASSERT_EQ(backend(data(Side::backend, 60'000)), Outcome::in_order);
    ASSERT_EQ(client_acks(), Outcome::in_order);
  }
  expect_states(State::fin_wait_2, State::close_wait);
  backend(fin(Side::backend));
  expect_states(State::fin_wait_2, State::last_ack);
  client_acks();
  expect_states(State::time_wait, State::closed);
}

TEST_F(FinWait2, KeepAlivesOfTheHalfClosedSidePass) {
  Seen keep_alive = next(Side::client);
  keep_alive.seq = keep_alive.seq - 1;
  EXPECT_EQ(client(keep_alive), Outcome::in_order);
  expect_states(State::fin_wait_2, State::close_wait);
}

TEST_F(FinWait2, FinOfThePeerIsNotYetReceivedWhenItIsSeen) {
  backend(fin(Side::backend));
  expect_states(State::fin_wait_2, State::last_ack);
  EXPECT_FALSE(finished(connection));
}

// The client acknowledges the backend's FIN before it closes.
class CloseWait : public Dialogue {
 protected:
  CloseWait() {
    backend(fin(Side::backend));
    client_acks();
  }
};

TEST_F(CloseWait, IsReachedByAcknowledgingThePeersFin) {
  expect_states(State::close_wait, State::fin_wait_2);
}

TEST_F(CloseWait, DataStillPasses) {
  EXPECT_EQ(client(data(Side::client, 5000)), Outcome::in_order);
  EXPECT_EQ(backend_acks(), Outcome::in_order);
  expect_states(State::close_wait, State::fin_wait_2);
}

TEST_F(CloseWait, OwnFinGoesToLastAck) {
  client(fin(Side::client));
  expect_states(State::last_ack, State::fin_wait_2);
}

TEST(CloseWaitDirectly, AcknowledgementOfTheFinWithTheOwnFinGoesToLastAck) {
  Connection connection{test_endpoint(client_first), test_endpoint(backend_first)};
  Seen fin{.seq = backend_first,
           .ack = client_first,
           .flags = wire::flag_ack | wire::flag_fin,
           .window = test_window};
  observe(connection, Side::backend, fin);
  fin.seq = client_first;
  fin.ack = backend_first + 1;
  observe(connection, Side::client, fin);
  EXPECT_EQ(connection.client.state, State::last_ack);
  EXPECT_EQ(connection.backend.state, State::fin_wait_2);
}

class LastAck : public CloseWait {
 protected:
  LastAck() { client(fin(Side::client)); }
};

TEST_F(LastAck, AcknowledgementOfTheFinCloses) {
  backend_acks();
  expect_states(State::closed, State::time_wait);
  EXPECT_TRUE(finished(connection));
}

TEST_F(LastAck, OldAcknowledgementDoesNotCount) {
  backend(acknowledging(next(Side::backend), client_first));
  expect_states(State::last_ack, State::fin_wait_2);
}

// Both FINs crossed on their way.
class SimultaneousClose : public FinWait1 {
 protected:
  SimultaneousClose() { backend(acknowledging(fin(Side::backend), client_first)); }
};

TEST_F(SimultaneousClose, BothAreInFinWait1) {
  expect_states(State::fin_wait_1, State::fin_wait_1);
}

TEST_F(SimultaneousClose, WhoAcknowledgesFirstIsInClosing) {
  client_acks();
  expect_states(State::closing, State::fin_wait_2);
  EXPECT_FALSE(finished(connection));
}

TEST_F(SimultaneousClose, BothEndInTimeWait) {
  client_acks();
  backend_acks();
  expect_states(State::time_wait, State::time_wait);
  EXPECT_TRUE(finished(connection));
}

TEST_F(SimultaneousClose, EndsTheSameWhenTheBackendAcknowledgesFirst) {
  backend_acks();
  expect_states(State::fin_wait_2, State::closing);
  client_acks();
  expect_states(State::time_wait, State::time_wait);
}

class TimeWait : public FinWait2 {
 protected:
  TimeWait() {
    backend(fin(Side::backend));
    client_acks();
  }
};

// The last acknowledgement was lost behind us.
TEST_F(TimeWait, FinSentAgainAndItsAcknowledgementPass) {
  Seen again = fin(Side::backend);
  again.seq = connection.backend.fin;
  EXPECT_EQ(backend(again), Outcome::in_order);
  EXPECT_EQ(client_acks(), Outcome::in_order);
  expect_states(State::time_wait, State::closed);
}

TEST(SynReceived, OwnFinGoesToFinWait1) {
  Connection connection{test_endpoint(client_first), test_endpoint(backend_first)};
  connection.backend.state = State::syn_received;
  observe(connection, Side::backend,
          {.seq = backend_first,
           .ack = client_first,
           .flags = wire::flag_ack | wire::flag_fin,
           .window = test_window});
  EXPECT_EQ(connection.backend.state, State::fin_wait_1);
}

}  // namespace
}  // namespace synward::tcp
