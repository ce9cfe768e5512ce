"""Rules of bone surgery: landmarks, measures, osteotomies, implants, guides."""
