// SPDX-License-Identifier: GPL-2.0-or-later
//
// What backends accept, as their SYN-ACKs tell: nobody types an MSS or a window scale.
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "proxy/handshake/challenge.h"
#include "proxy/wire/tcp_options.h"

namespace synward::backend {

// An option of a backend: unknown until a SYN that offered it was answered.
enum class Accepts : std::uint8_t { unknown, no, yes };

struct LearnedOptions {
  std::uint16_t mss = 0;  // the largest since the learning SYN; 0: nothing was heard
  // Initial, of SYN-ACKs, hence not scaled. A server rounds it to segments of the client's size, so
  // each client sees another: the smallest since the learning SYN before the last one, and since
  // the last one. An offer that followed every SYN-ACK would change all the time.
  std::uint16_t window = 0, window_since_asked = 0;
  Accepts scaling = Accepts::unknown, sack = Accepts::unknown;
  Accepts timestamps = Accepts::unknown, ecn = Accepts::unknown;
  std::uint8_t window_scale = 0;  // if scaling is yes

  // A server with something missing is asked again soon: it may have answered from a SYN cookie, or
  // have been started anew since. Not for timestamps and ECN: where several servers answer behind
  // one address, each promise of what one of them refuses is a client that is reset (W2).
  bool settled() const {
    return scaling == Accepts::yes && sack == Accepts::yes && timestamps != Accepts::unknown &&
           ecn != Accepts::unknown;
  }
  bool operator==(const LearnedOptions&) const = default;
};

// What a SYN offered and what its SYN-ACK said.
struct Asked {
  bool scaling = true, sack = true, timestamps = true, ecn = true;
};
struct Answer {
  std::uint16_t window = 0;
  wire::TcpOptions options;
  bool ecn_echo = false;  // ECE without CWR (RFC 3168 6.1.1)
  bool ipv4 = true;
};

// `before`, corrected by the answer to a client's SYN; what was not asked stays as it was.
LearnedOptions learn(const LearnedOptions& before, const Asked& asked, const Answer& answer);
// A learning SYN is under way to it.
LearnedOptions asked(const LearnedOptions& before);
// The answer to a learning SYN, which asks for everything: nothing of `before` holds against it,
// but the windows that clients have seen since the one before.
LearnedOptions learn_anew(const LearnedOptions& before, const Answer& answer);

// O2, O3: what may be offered to every client of these backends. `unlearned` is what is offered
// while nothing is known; its MSS and window are upper bounds also later. A backend of which
// nothing is known is one more that may get the client: what cannot be translated waits for it
// (W2, O5), the rest does not.
handshake::ServiceOffer offer_for(const handshake::ServiceOffer& unlearned,
                                  std::span<const LearnedOptions> backends);

// W2, C10: what of an offer still holds with a backend that is known to accept so much. What cannot
// be translated is taken from it, timestamps and ECN; windows and SACK can be (W1, W2), and what a
// server says of its windows and MSS is another for each client.
handshake::ServiceOffer what_holds(const handshake::ServiceOffer& made,
                                   const LearnedOptions& backend);

// One word per backend, shared by the workers, who all hear SYN-ACKs, and the main thread, which
// makes offers of it. Of two that learn at once the later wins; the next SYN-ACK corrects it.
class LearnedBoard {
 public:
  explicit LearnedBoard(const std::vector<std::size_t>& backends_per_service);
  // A reload: with what `before` knows, which has no more services and backends than are asked for.
  LearnedBoard(const LearnedBoard& before, const std::vector<std::size_t>& backends_per_service);

  std::optional<LearnedOptions> find(std::uint16_t service, std::uint16_t position) const;
  void learn(std::uint16_t service, std::uint16_t position, const Asked& asked,
             const Answer& answer);
  void asked(std::uint16_t service, std::uint16_t position);  // no effect if nothing is known
  void learn_anew(std::uint16_t service, std::uint16_t position, const Answer& answer);
  // Changes whenever a backend was heard to accept less than before. Who sees it changed finds that
  // backend changed too.
  std::uint32_t losses() const { return losses_.load(std::memory_order_acquire); }

 private:
  template <typename Lesson>  // from what was known to what is known
  void correct(std::uint16_t service, std::uint16_t position, const Lesson& lesson);

  std::deque<std::deque<std::atomic<std::uint64_t>>> words_;  // 0: nothing is known
  std::atomic<std::uint32_t> losses_{0};
};

}  // namespace synward::backend
