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
  std::uint16_t mss = 0;     // 0: the SYN-ACK had none
  std::uint16_t window = 0;  // initial, of the SYN-ACK, hence not scaled
  Accepts scaling = Accepts::unknown, sack = Accepts::unknown;
  Accepts timestamps = Accepts::unknown, ecn = Accepts::unknown;
  std::uint8_t window_scale = 0;  // if scaling is yes

  bool complete() const {
    return scaling != Accepts::unknown && sack != Accepts::unknown &&
           timestamps != Accepts::unknown && ecn != Accepts::unknown;
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
};

// `before`, corrected by this answer; what was not asked stays as it was.
LearnedOptions learn(const LearnedOptions& before, const Asked& asked, const Answer& answer);

// O2, O3: what may be offered to every client of these backends. `unlearned` is what is offered
// while nothing is known; its MSS and window are upper bounds also later. A backend of which
// nothing is known does not count: it is corrected when it answers.
handshake::ServiceOffer offer_for(const handshake::ServiceOffer& unlearned,
                                  std::span<const LearnedOptions> backends);

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

 private:
  std::deque<std::deque<std::atomic<std::uint64_t>>> words_;  // 0: nothing is known
};

}  // namespace synward::backend
