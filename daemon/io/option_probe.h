// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "proxy/wire/address.h"
#include "proxy/wire/tcp_options.h"

namespace synward::io {

// Asks servers which TCP options they accept: a SYN with every option, from an address of this
// host and without our mark, so that it is the host's own traffic for every rule. The kernel, which
// has no socket there, resets the SYN-ACK: no server program ever sees a connection.
class OptionProbe {
 public:
  struct Answer {
    std::size_t target = 0;  // index into what was given to ask()
    bool refused = false;    // a RST; the rest is empty
    std::uint16_t window = 0;
    wire::TcpOptions options;
    bool ecn_echo = false;
  };

  OptionProbe();
  OptionProbe(OptionProbe&&) noexcept;
  OptionProbe& operator=(OptionProbe&&) noexcept;
  ~OptionProbe();

  // Forgets earlier questions and sends one SYN to each of them, to 64 at a time: the next ones'
  // turn comes as others answer, or are given up. Whom no route or no socket leads to is passed
  // over silently, as one that does not answer.
  void ask(std::span<const wire::Endpoint> targets);
  void ask_again();      // those that have not answered, at most three times
  bool waiting() const;  // for an answer, or for its turn
  // Answers that came since, each target's first; waits up to `patience` for one.
  std::vector<Answer> collect(std::chrono::milliseconds patience);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace synward::io
