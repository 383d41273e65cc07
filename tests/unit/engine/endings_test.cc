// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

class Endings : public ::testing::Test, public Harness {
 protected:
  SegmentToSend with(SegmentToSend segment, std::uint16_t flags) {
    segment.flags |= flags;
    return segment;
  }
  SegmentToSend syn_at(std::uint32_t isn, std::uint32_t tsval) {
    SegmentToSend segment = syn(isn);
    segment.options.timestamps = wire::Timestamps{tsval, 0};
    return segment;
  }
  SegmentToSend reset_of_client(std::uint32_t seq, std::uint32_t cookie) {
    return with(from_client_segment(seq, cookie + 1), wire::flag_rst);
  }
  // 100 bytes of the client's are under way, not acknowledged.
  std::uint32_t connect_and_send() {
    const std::uint32_t cookie = connect();
    SegmentToSend data = from_client_segment(1001, cookie + 1);
    data.payload = bytes_;
    EXPECT_EQ(from_client(data), Verdict::forward);
    return cookie;
  }
  // Each side's FIN, acknowledged; `first` is in TIME-WAIT then, the other one CLOSED.
  void close_first(Side first, std::uint32_t cookie) {
    const auto of_client = [&](std::uint32_t seq, std::uint32_t ack, std::uint16_t flags) {
      EXPECT_EQ(from_client(with(from_client_segment(seq, cookie + ack), flags)), Verdict::forward);
    };
    const auto of_server = [&](std::uint32_t seq, std::uint32_t ack, std::uint16_t flags) {
      EXPECT_EQ(from_backend(with(from_backend_segment(777000 + seq, ack), flags)),
                Verdict::forward);
    };
    if (first == Side::client) {
      of_client(1001, 1, wire::flag_fin);
      of_server(1, 1002, wire::flag_fin);
      of_client(1002, 2, 0);
    } else {
      of_server(1, 1001, wire::flag_fin);
      of_client(1001, 2, wire::flag_fin);
      of_server(2, 1002, 0);
    }
    EXPECT_EQ(state(first, tcp::State::time_wait), 1);
    EXPECT_EQ(state(first == Side::client ? Side::backend : Side::client, tcp::State::closed), 1);
  }

  const std::vector<std::uint8_t> bytes_ = std::vector<std::uint8_t>(100, 'd');
};

TEST_F(Endings, AResetAtTheNextNumberEndsAtOnce) {
  const std::uint32_t cookie = connect_and_send();
  EXPECT_EQ(from_client(reset_of_client(1101, cookie)), Verdict::forward);
  EXPECT_EQ(state(Side::backend, tcp::State::closed), 1);
}

// RFC 9293 3.10.7.4: the client knows nothing of the connection, and says so to our challenge ACK.
// Its next SYN, after a second, must not be challenged again.
class DisownedByItsClient : public Endings {
 protected:
  void expect_the_second_syn_to_be_answered(std::uint32_t isn) {
    ASSERT_EQ(from_client(syn(isn)), Verdict::consume);
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].segment.flags, wire::flag_ack);
    SegmentToSend reset = from_client_segment(left[0].segment.ack.value(), 0);
    reset.flags = wire::flag_rst;
    EXPECT_EQ(from_client(reset), Verdict::forward);
    pass(seconds(1));
    EXPECT_EQ(from_client(syn(isn)), Verdict::reply);
  }
};

TEST_F(DisownedByItsClient, AfterTheServerClosedFirst) {
  close_first(Side::backend, connect());
  expect_the_second_syn_to_be_answered(900);
}

TEST_F(DisownedByItsClient, WithDataUnderWay) {
  connect_and_send();
  expect_the_second_syn_to_be_answered(500'000);
  EXPECT_EQ(counters().connections_closed[1].value(), 1U);
}

// Nothing of it is proven: it was a guess, and the SYN is answered as if there were none.
TEST_F(DisownedByItsClient, WhileNobodyHasProvedIt) {
  settings.adopt_until = now + seconds(600);
  ASSERT_EQ(from_client(from_client_segment(5000, 9000)), Verdict::forward);
  EXPECT_EQ(from_client(syn(900)), Verdict::reply);
  EXPECT_EQ(state(Side::client, tcp::State::established), 0);
}

// What the client sends in order tells that it knows the connection after all.
TEST_F(Endings, AResetInWhatIsUnderWayAnswersNoChallengeFromBefore) {
  const std::uint32_t cookie = connect_and_send();
  EXPECT_EQ(from_client(syn(500'000)), Verdict::consume);
  SegmentToSend more = from_client_segment(1101, cookie + 1);
  more.payload = bytes_;
  EXPECT_EQ(from_client(more), Verdict::forward);
  EXPECT_EQ(from_client(reset_of_client(1001, cookie)), Verdict::forward);
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
}

TEST_F(Endings, AResetInWhatIsUnderWayEndsWhatIsSilentFromThenOn) {
  const std::uint32_t cookie = connect_and_send();
  EXPECT_EQ(from_client(reset_of_client(1050, cookie)), Verdict::forward);
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
  pass(seconds(3));
  EXPECT_EQ(state(Side::client, tcp::State::closed), 1);
  EXPECT_EQ(counters().connections_closed[static_cast<std::size_t>(CloseReason::reset)].value(),
            1U);
}

TEST_F(Endings, AForgedResetInWhatIsUnderWayEndsNothing) {
  const std::uint32_t cookie = connect_and_send();
  EXPECT_EQ(from_client(reset_of_client(1050, cookie)), Verdict::forward);
  ASSERT_EQ(from_backend(from_backend_segment(777001, 1101)), Verdict::forward);  // challenge ACK
  pass(seconds(30));
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
  EXPECT_EQ(from_client(from_client_segment(1101, cookie + 1)), Verdict::forward);
}

TEST_F(Endings, TimeWaitOfTheBackendTakesALaterSynOnly) {
  const std::uint32_t cookie = connect();
  close_first(Side::backend, cookie);
  EXPECT_EQ(from_client(syn(900)), Verdict::consume);  // a challenge ACK
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_ack);
  EXPECT_EQ(from_client(syn(1003)), Verdict::reply);
}

TEST_F(Endings, TimeWaitOfTheBackendTakesALaterTimestamp) {
  const std::uint32_t cookie = connect();
  SegmentToSend data = from_client_segment(1000, cookie + 1);
  data.options.timestamps = wire::Timestamps{5000, 0};
  ASSERT_EQ(from_client(data), Verdict::forward);
  close_first(Side::backend, cookie);
  EXPECT_EQ(from_client(syn_at(900, 4999)), Verdict::consume);
  EXPECT_EQ(from_client(syn_at(900, 5001)), Verdict::reply);
}

// A server without synward would take it: the client's port was used again behind a NAT.
TEST_F(Endings, ABackendThatIsClosedTakesAnySyn) {
  close_first(Side::client, connect());
  EXPECT_EQ(from_client(syn(900)), Verdict::reply);
}

TEST_F(Endings, AFinThatComesAgainRestartsTwoMsl) {
  const std::uint32_t cookie = connect();
  close_first(Side::client, cookie);
  pass(seconds(50));
  EXPECT_EQ(from_backend(with(from_backend_segment(777001, 1002), wire::flag_fin)),
            Verdict::forward);
  pass(seconds(50));
  EXPECT_EQ(state(Side::client, tcp::State::time_wait), 1);
  pass(seconds(11));
  EXPECT_EQ(state(Side::client, tcp::State::time_wait), 0);
}

TEST_F(Endings, ASynAckOfTheClientGetsAChallengeAck) {
  const std::uint32_t cookie = connect();
  EXPECT_EQ(from_client(with(from_client_segment(1000, cookie + 1), wire::flag_syn)),
            Verdict::drop);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_ack);
  EXPECT_EQ(counters().syns_received.value(), 1U);
}

class GivenUp : public Endings {
 protected:
  // The only backend was silent until the connection was given up.
  GivenUp() {
    cookie = challenge();
    EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
    pass(settings.connect_timeout + seconds(1));
    EXPECT_EQ(state(Side::client, tcp::State::closed), 1);
  }
  std::uint32_t cookie = 0;
};

TEST_F(GivenUp, ALateSynAckIsReset) {
  EXPECT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::drop);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_rst);
  EXPECT_EQ(left[0].segment.seq, SeqNumber(1001));
  EXPECT_EQ(left[0].segment.destination, backend);
}

// Linux sends it for a minute.
TEST_F(GivenUp, ALateSynAckIsResetAlsoWhenTheFlowIsForgotten) {
  pass(seconds(40));
  ASSERT_EQ(state(Side::client, tcp::State::closed), 0);
  EXPECT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::drop);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_rst);
  pass(seconds(40));
  EXPECT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::pass);
}

TEST_F(GivenUp, AClientThatDidNotHearIsToldAgain) {
  EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::drop);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].segment.flags, wire::flag_rst);
  EXPECT_EQ(left[0].segment.seq.value(), cookie + 1);
  EXPECT_EQ(left[0].segment.destination, client);
}

}  // namespace
}  // namespace synward::engine
