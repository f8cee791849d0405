// Prints the sample pictures: show_pictures [WIDTH] [ascii] [colour].

#include <cstdlib>
#include <iostream>
#include <string_view>

#include "sample_pictures.h"

int main(int argc, char** argv) {
  ridge::Style style;
  for (const std::string_view word : std::vector<std::string_view>(argv + 1, argv + argc)) {
    if (word == "ascii") {
      style.unicode = false;
    } else if (word == "colour") {
      style.colour = true;
    } else {
      style.width = std::atoi(word.data());
    }
  }
  using namespace report_test;
  std::cout << ridge::roofline_picture(sample_roofline(), sample_points(), style) << "\n"
            << ridge::cache_picture(sample_chase(), sample_caches(), style) << "\n"
            << ridge::cache_picture(sample_read(), sample_caches(), style);
}
