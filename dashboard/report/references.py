"""The papers that the methods of a report come from, as BibTeX."""

from collections.abc import Iterable, Mapping

ENTRIES: Mapping[str, str] = {
    "student1908": """@article{student1908,
  author  = {Student},
  title   = {The Probable Error of a Mean},
  journal = {Biometrika},
  volume  = {6},
  number  = {1},
  pages   = {1--25},
  year    = {1908}
}""",
    "welch1947": """@article{welch1947,
  author  = {Welch, B. L.},
  title   = {The Generalization of `{S}tudent's' Problem when Several Different Population
             Variances are Involved},
  journal = {Biometrika},
  volume  = {34},
  number  = {1--2},
  pages   = {28--35},
  year    = {1947}
}""",
    "wilcoxon1945": """@article{wilcoxon1945,
  author  = {Wilcoxon, Frank},
  title   = {Individual Comparisons by Ranking Methods},
  journal = {Biometrics Bulletin},
  volume  = {1},
  number  = {6},
  pages   = {80--83},
  year    = {1945}
}""",
    "pitman1937": """@article{pitman1937,
  author  = {Pitman, E. J. G.},
  title   = {Significance Tests Which May be Applied to Samples from any Populations},
  journal = {Supplement to the Journal of the Royal Statistical Society},
  volume  = {4},
  number  = {1},
  pages   = {119--130},
  year    = {1937}
}""",
    "efron1987": """@article{efron1987,
  author  = {Efron, Bradley},
  title   = {Better Bootstrap Confidence Intervals},
  journal = {Journal of the American Statistical Association},
  volume  = {82},
  number  = {397},
  pages   = {171--185},
  year    = {1987}
}""",
    "agarwal2021": """@inproceedings{agarwal2021,
  author    = {Agarwal, Rishabh and Schwarzer, Max and Castro, Pablo Samuel and
               Courville, Aaron C. and Bellemare, Marc G.},
  title     = {Deep Reinforcement Learning at the Edge of the Statistical Precipice},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {34},
  pages     = {29304--29320},
  year      = {2021}
}""",
    "cohen1988": """@book{cohen1988,
  author    = {Cohen, Jacob},
  title     = {Statistical Power Analysis for the Behavioral Sciences},
  edition   = {2},
  publisher = {Lawrence Erlbaum Associates},
  year      = {1988}
}""",
    "holm1979": """@article{holm1979,
  author  = {Holm, Sture},
  title   = {A Simple Sequentially Rejective Multiple Test Procedure},
  journal = {Scandinavian Journal of Statistics},
  volume  = {6},
  number  = {2},
  pages   = {65--70},
  year    = {1979}
}""",
    "benjamini1995": """@article{benjamini1995,
  author  = {Benjamini, Yoav and Hochberg, Yosef},
  title   = {Controlling the False Discovery Rate: A Practical and Powerful Approach to
             Multiple Testing},
  journal = {Journal of the Royal Statistical Society: Series B},
  volume  = {57},
  number  = {1},
  pages   = {289--300},
  year    = {1995}
}""",
    "kaplan1958": """@article{kaplan1958,
  author  = {Kaplan, E. L. and Meier, Paul},
  title   = {Nonparametric Estimation from Incomplete Observations},
  journal = {Journal of the American Statistical Association},
  volume  = {53},
  number  = {282},
  pages   = {457--481},
  year    = {1958}
}""",
    "mantel1966": """@article{mantel1966,
  author  = {Mantel, Nathan},
  title   = {Evaluation of Survival Data and Two New Rank Order Statistics Arising in Its
             Consideration},
  journal = {Cancer Chemotherapy Reports},
  volume  = {50},
  number  = {3},
  pages   = {163--170},
  year    = {1966}
}""",
    "hanley1982": """@article{hanley1982,
  author  = {Hanley, James A. and McNeil, Barbara J.},
  title   = {The Meaning and Use of the Area under a Receiver Operating Characteristic
             ({ROC}) Curve},
  journal = {Radiology},
  volume  = {143},
  number  = {1},
  pages   = {29--36},
  year    = {1982}
}""",
    "dolan2002": """@article{dolan2002,
  author  = {Dolan, Elizabeth D. and Mor{\\'e}, Jorge J.},
  title   = {Benchmarking Optimization Software with Performance Profiles},
  journal = {Mathematical Programming},
  volume  = {91},
  number  = {2},
  pages   = {201--213},
  year    = {2002}
}""",
    "dahl2023": """@misc{dahl2023,
  author        = {Dahl, George E. and Schneider, Frank and Nado, Zachary and others},
  title         = {Benchmarking Neural Network Training Algorithms},
  eprint        = {2306.07179},
  archiveprefix = {arXiv},
  year          = {2023}
}""",
    "poole2016": """@inproceedings{poole2016,
  author    = {Poole, Ben and Lahiri, Subhaneil and Raghu, Maithra and
               Sohl-Dickstein, Jascha and Ganguli, Surya},
  title     = {Exponential Expressivity in Deep Neural Networks through Transient Chaos},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {29},
  pages     = {3360--3368},
  year      = {2016}
}""",
    "schoenholz2017": """@inproceedings{schoenholz2017,
  author    = {Schoenholz, Samuel S. and Gilmer, Justin and Ganguli, Surya and
               Sohl-Dickstein, Jascha},
  title     = {Deep Information Propagation},
  booktitle = {International Conference on Learning Representations},
  year      = {2017}
}""",
}
"""Key -> entry. The key is the one in the entry."""


def bibtex(keys: Iterable[str]) -> str:
    """The entries of these keys, in order.

    Raises:
        KeyError: no such entry.
    """
    return "\n\n".join(ENTRIES[key] for key in keys)
