"""Results of standing films in the graph: measures, film beside CT, standing values, where the deformity is."""

from __future__ import annotations

from typing import Any

from surgiplan_desktop.derive.node import Key, Node
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.planning.deformity import Deformity, deformities
from surgiplan_desktop.planning.film_comparison import compare_film
from surgiplan_desktop.planning.film_measures import measure_film
from surgiplan_desktop.planning.standing import standing_values


def film_measures_key(film: str, side: Side) -> Key:
    """Key of the FilmMeasures of a leg on a film; there for every leg that has points."""
    return ("film_measures", film, side)


def film_comparison_key(film: str, side: Side) -> Key:
    """Key of the FilmComparison of a leg on a film; there for every leg that has points."""
    return ("film_comparison", film, side)


def standing_key(side: Side) -> Key:
    """Key of the StandingValues of a leg; there for both sides, always."""
    return ("standing", side)


def deformity_key(side: Side) -> Key:
    """Key of the Deformity records of a leg (lying, standing, each film); there for both sides, always."""
    return ("deformity", side)


def _without_bones(*results: Any) -> tuple[Deformity, ...]:
    return deformities(None, *results)


def add_films(graph: dict[Key, Node], case: Case) -> None:
    """Add what films and typed standing values give; the keys of a leg's bones must be there already."""
    intake = case.intake
    for side in Side:
        films: list[Key] = []
        leg: tuple[Key, ...] = (("landmarks", side), ("frames", side), ("measures", side))
        bones = leg[2] in graph
        for film in case.films:
            if not film.leg(side).points:
                continue
            graph[film_measures_key(film.id, side)] = Node("measure_film", 1, measure_film, (film, side))
            films.append(film_comparison_key(film.id, side))
            needs = (film_measures_key(film.id, side), *(leg if bones else ()))
            graph[films[-1]] = Node("compare_film", 1, compare_film, (), needs)
        params = (side, intake.side, intake.standing_hka_deg, intake.standing_jlca_deg)
        graph[standing_key(side)] = Node("standing_values", 1, standing_values, params, tuple(films))
        needs = (standing_key(side), *films)
        if bones:
            graph[deformity_key(side)] = Node("deformities", 1, deformities, (), (leg[2], *needs))
        else:
            graph[deformity_key(side)] = Node("deformities_of_films", 1, _without_bones, (), needs)
