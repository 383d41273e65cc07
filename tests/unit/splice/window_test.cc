// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "proxy/splice/translate.h"

namespace synward::splice {
namespace {

constexpr std::uint8_t absent = SYNWARD_WINDOW_SCALE_ABSENT;

Offsets scales(std::uint8_t client, std::uint8_t promised, std::uint8_t backend) {
  return {.client_scale = client, .promised_scale = promised, .backend_scale = backend};
}

TEST(Window, IsUnchangedWhenTheBackendKeepsThePromise) {
  const Offsets offsets = scales(9, 7, 7);
  for (const std::uint16_t field : {0, 1, 502, 65535}) {
    EXPECT_EQ(window_for_backend(offsets, client_window_bytes(offsets, field)), field);
    EXPECT_EQ(window_for_client(offsets, backend_window_bytes(offsets, field)), field);
  }
}

TEST(Window, InBytesIsShiftedByTheScaleOfWhoSendsIt) {
  EXPECT_EQ(client_window_bytes(scales(9, 7, 7), 100), 100U << 9);
  EXPECT_EQ(backend_window_bytes(scales(9, 7, 8), 100), 100U << 8);
  EXPECT_EQ(client_window_bytes(scales(14, 7, 7), 65535), 65535U << 14);
}

TEST(Window, IsNotScaledWhereTheOptionIsMissingOnEitherSide) {
  EXPECT_EQ(client_window_bytes(scales(absent, absent, absent), 100), 100U);
  EXPECT_EQ(backend_window_bytes(scales(9, 7, absent), 100), 100U);
  EXPECT_EQ(backend_window_bytes(scales(absent, absent, 7), 100), 100U);
}

TEST(Window, ScaleZeroIsScalingWithZero) {
  const Offsets offsets = scales(0, 0, 3);
  EXPECT_EQ(client_window_bytes(offsets, 100), 100U);
  EXPECT_EQ(window_for_client(offsets, backend_window_bytes(offsets, 100)), 800U);
}

TEST(Window, OfTheBackendIsRescaledToThePromise) {
  EXPECT_EQ(window_for_client(scales(9, 7, 8), 100U << 8), 200);
  EXPECT_EQ(window_for_client(scales(9, 7, 6), 100U << 6), 50);
  EXPECT_EQ(window_for_client(scales(9, 7, absent), 65535), 65535 >> 7);
}

TEST(Window, OfTheClientLosesItsScaleWhenTheBackendHasNone) {
  const Offsets offsets = scales(9, 7, absent);
  EXPECT_EQ(window_for_backend(offsets, client_window_bytes(offsets, 100)), 100 << 9);
}

TEST(Window, SaturatesInsteadOfWrapping) {
  EXPECT_EQ(window_for_backend(scales(9, 7, absent), 65535U << 9), 65535);
  EXPECT_EQ(window_for_client(scales(9, 2, 14), 65535U << 14), 65535);
  EXPECT_EQ(window_for_client(scales(absent, absent, absent), 65536), 65535);
}

TEST(Window, ThatIsNotZeroNeverBecomesZero) {
  EXPECT_EQ(window_for_client(scales(9, 14, 0), 1), 1);
  EXPECT_EQ(window_for_client(scales(9, 14, 0), 0), 0);
  EXPECT_EQ(window_for_backend(scales(14, 7, 7), 5), 1);
}

}  // namespace
}  // namespace synward::splice
