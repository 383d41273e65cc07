// SPDX-License-Identifier: GPL-2.0-or-later
//
// Segments that are almost right, from a client, a server or somebody in its name: a number beside
// the one that would count opens, ends, frees and teaches nothing.
#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

class Forged : public ::testing::Test, public Harness {
 protected:
  static SegmentToSend with_flags(SegmentToSend segment, unsigned flags) {
    segment.flags = static_cast<std::uint16_t>(flags);
    return segment;
  }
  // Redeemed; the backend has been asked.
  std::uint32_t asked() {
    const std::uint32_t cookie = challenge();
    EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
    return cookie;
  }
};

// The cookie is right, and known from the half-open queue; SEQ is not the client's.
TEST_F(Forged, AnAcknowledgementOutsideThePromisedWindowRedeemsNothing) {
  const std::uint32_t cookie = challenge();
  const std::uint32_t window = left.at(0).segment.window;
  for (const std::uint32_t seq : {999U, 1001U + window + 1, 1001U + 0x80000000U}) {
    EXPECT_EQ(from_client(from_client_segment(seq, cookie + 1)), Verdict::drop) << seq;
    EXPECT_TRUE(left.empty()) << seq;
  }
  EXPECT_EQ(counters().half_open_connections.value(), 1);
  EXPECT_EQ(from_client(from_client_segment(1001 + window, cookie + 1)), Verdict::drop);
  EXPECT_EQ(left.size(), 1U);  // data that overtook: lost, but the backend is asked
}

TEST_F(Forged, AResetBesideTheNumberThatWeAcknowledgedFreesNoEntry) {
  challenge();
  for (const std::uint32_t seq : {1000U, 1002U, 0U}) {
    EXPECT_EQ(from_client(with_flags(from_client_segment(seq, 0), wire::flag_rst)), Verdict::drop);
  }
  EXPECT_EQ(counters().half_open_reset.value(), 0U);
  EXPECT_EQ(counters().half_open_connections.value(), 1);
}

// RFC 9293 3.10.7.3: "If the RST bit is set ... if the ACK was acceptable".
TEST_F(Forged, ARefusalThatDoesNotAcknowledgeOurSynIsNone) {
  asked();
  const auto refusal = [this](std::uint32_t ack, unsigned flags) {
    return from_backend(with_flags(from_backend_segment(0, ack), flags));
  };
  EXPECT_EQ(refusal(1000, wire::flag_rst | wire::flag_ack), Verdict::drop);
  EXPECT_EQ(refusal(1002, wire::flag_rst | wire::flag_ack), Verdict::drop);
  EXPECT_EQ(refusal(1001, wire::flag_rst), Verdict::drop);
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(dropped(synward_reason_bad_backend_answer), 3U);
  EXPECT_EQ(counters().backends[0].failures[0].value(), 0U);
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
}

// Whoever answers each of our SYNs so must not make us send for ever.
TEST_F(Forged, OldConnectionsThatDoNotEndAreNotAnsweredForEver) {
  asked();
  unsigned resets = 0;
  for (int i = 0; i < 20; ++i) {
    from_backend(from_backend_segment(5, 4711));
    if (!left.empty()) ++resets;
  }
  EXPECT_EQ(resets, 7U);
  EXPECT_EQ(dropped(synward_reason_bad_backend_answer), 13U);
}

TEST_F(Forged, ASynAckWithAnotherNumberIsNotAcknowledgedAgain) {
  connect();
  EXPECT_EQ(from_backend(syn_ack(777001, 1001)), Verdict::drop);
  EXPECT_EQ(from_backend(syn_ack(123, 1001)), Verdict::drop);
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(dropped(synward_reason_out_of_window), 2U);
}

TEST_F(Forged, NorIsOneOfAConnectionThatHasEnded) {
  const std::uint32_t cookie = connect();
  ASSERT_EQ(from_client(
                with_flags(from_client_segment(1001, cookie + 1), wire::flag_rst | wire::flag_ack)),
            Verdict::forward);
  EXPECT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::drop);
  EXPECT_TRUE(left.empty());
}

// The client's own clock decides whether its next SYN reopens (RFC 6191); a server's may be ahead.
TEST_F(Forged, AServersTimestampIsNotTakenForTheClients) {
  const std::uint32_t cookie = connect();
  const auto stamped = [](SegmentToSend segment, std::uint32_t value, unsigned flags) {
    segment.options.timestamps = wire::Timestamps{value, 0};
    segment.flags |= static_cast<std::uint16_t>(flags);
    return segment;
  };
  // The server closes first, hence its TIME-WAIT.
  from_backend(stamped(from_backend_segment(777001, 1001), 900'000, wire::flag_fin));
  from_client(stamped(from_client_segment(1001, cookie + 2), 5000, wire::flag_fin));
  from_backend(stamped(from_backend_segment(777002, 1002), 900'001, 0));
  ASSERT_EQ(state(Side::backend, tcp::State::time_wait), 1);
  EXPECT_EQ(from_client(stamped(syn(900), 5001, 0)), Verdict::reply);
}

}  // namespace
}  // namespace synward::engine
