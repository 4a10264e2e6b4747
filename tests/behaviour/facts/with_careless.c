/* With each flag that allows the compiler to simplify. */
#include "facts.h"

#include "chosen.h"

FACTS(with_careless) { chosen(); }
