// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/settings.h"
#include "daemon/io/option_probe.h"
#include "daemon/plan.h"
#include "proxy/backend/learned.h"
#include "proxy/handshake/offers.h"

namespace synward {

// What each listen offers to clients (O2, O3, C10): made of what its backends were seen to accept,
// promising more from the beginning of an epoch only and less at once, and kept on disk
// (PATH_OF_THE_KEY.offers), so that challenges of the daemon before this one are understood. Used
// by the main thread alone; the workers have a copy of histories(), and write to board().
class OfferKeeper {
 public:
  OfferKeeper(const config::Settings& settings, const ServiceLayout& layout, const HostFacts& host);
  // A reload: of what is still there everything that `before` knows is kept.
  OfferKeeper(const config::Settings& settings, const ServiceLayout& layout, const HostFacts& host,
              const OfferKeeper& before);

  // One learning SYN to each backend, and up to a second for their answers; `meanwhile` is called
  // again and again.
  void learn_first(const std::function<void()>& meanwhile);
  // The offers at start and after a reload are those of what has been learned, at once: a promise
  // that a server would break is not to be made until the epoch ends. What was offered before is
  // still redeemed.
  void begin(handshake::Epoch present);
  // What has been heard since; a learning SYN to servers that were not heard or refused something,
  // at longer and longer intervals up to a minute, and to all of them every ten. True if an offer
  // changed at once, where it no longer holds, or was announced for the next epoch; also one that
  // is the same again, where workers may have shrunk theirs meanwhile; and until published().
  bool turn(Instant now, handshake::Epoch present);
  void published() { published_ = true; }  // the workers have been given histories()

  // The servers' links are others: what they bound is offered at the next turn.
  void follow(const config::Settings& settings, const HostFacts& host);

  const std::vector<handshake::OfferHistory>& histories() const { return histories_; }
  const std::shared_ptr<backend::LearnedBoard>& board() const { return board_; }

 private:
  struct Listen {
    wire::Endpoint endpoint;
    std::uint16_t service = 0;
    std::vector<std::uint16_t> backends;  // positions
    handshake::ServiceOffer unlearned;
  };
  struct Backend {
    wire::Endpoint endpoint;
    std::uint16_t service = 0, position = 0;
  };

  void lay_out(const config::Settings& settings, const ServiceLayout& layout,
               const HostFacts& host);
  handshake::ServiceOffer present_offer(const Listen& listen) const;
  void ask(bool everyone);
  void take(const std::vector<io::OptionProbe::Answer>& answers);
  void tell(std::size_t listen) const;
  // W2: the listens whose present offer no longer holds, or did not for a while.
  std::vector<std::size_t> shrink(handshake::Epoch present);
  // The listens whose offer changes.
  std::vector<std::size_t> renew(
      handshake::Epoch from,
      void (handshake::OfferHistory::*how)(handshake::Epoch, const handshake::ServiceOffer&));
  void load();
  void keep() const;

  const std::string path_;
  std::shared_ptr<backend::LearnedBoard> board_;
  std::uint32_t losses_heeded_ = 0;  // of the board's
  bool published_ = true;
  io::OptionProbe probe_;
  std::vector<Backend> backends_;
  std::vector<std::size_t> asked_;  // indices into backends_, as the probe counts them
  std::vector<Listen> listens_;
  std::vector<bool> promised_;  // by listen: there is an offer that was made
  std::vector<handshake::OfferHistory> histories_;
  Instant ask_at_, ask_everyone_at_, repeat_at_{};
  Duration ask_wait_;
};

}  // namespace synward
